"""What the page says of the run: what it was trained and tested on, and under which terms."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..manifests import CORPORA
from ..train.runs.report import INTERVALS, model_name, namesake_notes, speaker_note
from ..train.runs.results import CorpusMetrics
from ..train.runs.run import Run
from .desk import Desk
from .uploads import MOST_BYTES

UNKNOWN = "not known here"

PROTOCOLS = {
    "paper": "on parts drawn at random",
    "authors": "on parts drawn at random, 70/10/20, as the paper's authors did",
    "speaker": "in folds that keep every speaker in one part",
}
"""How the test parts of a protocol came about."""


def facts_of(run: Run, desk: Desk) -> dict[str, Any]:
    """All of it as plain values for JSON. They may hold any text: a stranger made the run.

    Raises:
        InputError: a file of the run is not as it was written.
    """
    metrics = run.metrics
    return {
        "name": run.folder.absolute().name,
        "version": __version__,
        "model": model_name(metrics),
        "protocol": metrics["protocol"],
        "split": PROTOCOLS.get(metrics["protocol"], "on parts of one's own"),
        "repeats": metrics["repeats"],
        "corpora": [
            _corpus(name, domain, metrics["protocol"])
            for name, domain in metrics["domains"].items()
        ],
        "notes": namesake_notes(metrics),
        "features": [
            {"name": name, "licence": backbone.terms()} for name, backbone in desk.backbones.items()
        ],
        "heads": [{"key": key, "title": title} for key, title in desk.titles.items()],
        "most_bytes": MOST_BYTES,
    }


def _corpus(name: str, domain: CorpusMetrics, protocol: str) -> dict[str, Any]:
    known = CORPORA.get(name)
    ua = domain["ua"]
    return {
        "name": name,
        "title": known.title if known and known.title else "a corpus of one's own",
        "language": domain["language"],
        "labels": domain["labels"],
        "chance": 1 / len(domain["labels"]),
        "ua": ua["mean"],
        "interval": ua["ci95"],
        "kind": INTERVALS[domain["interval"]],
        "tested": domain["n_test"],
        "speakers": speaker_note(protocol, domain),
        "notes": domain["notes"],
        "licence": known.licence if known and known.licence else UNKNOWN,
        "url": known.url if known else "",
    }
