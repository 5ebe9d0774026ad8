"""What the page says of the run: what it was trained and tested on, and under which terms."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..manifests import described
from ..report import origins
from ..report.origins import CorpusOrigin, FeatureOrigin
from ..report.subject import Subject, one_line, subjects
from ..train.runs.report import INTERVALS, UNHEARD, model_name, namesake_notes, speaker_note
from .desk import Desk
from .uploads import MOST_BYTES


def facts_of(desk: Desk) -> dict[str, Any]:
    """All of it as plain values for JSON. They may hold any text: a stranger made the run.

    Raises:
        InputError: a file of the run is not as it was written.
    """
    shown = subjects([desk.run])
    (subject,) = shown
    metrics = subject.metrics
    data = origins.corpora(shown)
    told = origins.corpora(shown, tested=True) or data
    terms = {name: backbone.terms() for name, backbone in desk.backbones.items()}
    computed = origins.features(shown, terms)
    heard = [f"{UNHEARD}, as on this page."] if desk.run.config.encoding.heard else []
    return {
        "name": subject.name,
        "version": __version__,
        "model": one_line(model_name(metrics)),
        "split": one_line(described(metrics["protocol"])) or "on parts of one's own",
        "repeats": metrics["repeats"],
        "corpora": [_corpus(subject, origin) for origin in told],
        "notes": [*heard, *(one_line(note) for note in namesake_notes(metrics))],
        "features": [_feature(origin) for origin in computed],
        "terms": origins.inherited(data, computed),
        "heads": [{"key": key, "title": title} for key, title in desk.titles.items()],
        "most_bytes": MOST_BYTES,
    }


def _corpus(subject: Subject, origin: CorpusOrigin) -> dict[str, Any]:
    domain = subject.domain(origin.name)
    return {
        "name": origin.name,
        "title": origin.title,
        "language": origin.language,
        "labels": origin.emotions,
        "chance": 1 / len(origin.emotions),
        "ua": domain["ua"]["mean"],
        "interval": domain["ua"]["ci95"],
        "kind": INTERVALS[domain["interval"]],
        "tested": domain["n_test"],
        "speakers": one_line(speaker_note(subject.metrics["protocol"], domain)),
        "notes": [one_line(note) for note in domain["notes"]],
        "licence": origin.licence,
        "url": origin.url,
    }


def _feature(origin: FeatureOrigin) -> dict[str, Any]:
    return {"name": origin.name, "licence": origin.licence}
