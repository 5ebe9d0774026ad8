"""The whole path on synthetic corpora: audio, manifests, features, models, table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress

if TYPE_CHECKING:
    from ..train.runs.results import Metrics

FEATURES = ("mfcc", "ge2e")
REPEATS = 5
NOTICE = (
    "All numbers above are of synthetic speech (espeak-ng), whose emotions are settings of rate, "
    "pitch,\nrange and volume. They show that the path works, and nothing about real emotion."
)


def run_demo(out: Path, progress: Progress) -> list[Metrics]:
    """Do everything in the folder `out`; return the metrics of every run, baseline first.

    What is in `out` from an earlier demo is used again.
    """
    from ..cache import Cache
    from ..extract import extract_corpus
    from ..manifests import build_manifest
    from ..train.runs.train import train
    from . import DEMO_CORPORA, synthesise

    def synthesised(done: int, total: int) -> None:
        progress.show(f"synthesising {done} of {total} utterances", done, total)

    roots = synthesise(out / "corpora", DEMO_CORPORA, progress=synthesised)
    progress.say(f"corpora synthesised in {out / 'corpora'}")
    cache = Cache(out / "cache")
    runs = []
    for corpus, root in roots.items():
        manifest = build_manifest(corpus, root).manifest
        extract_corpus(manifest, root, FEATURES, cache, progress=progress)
        progress.say(f"{corpus}: {len(manifest)} utterances, {manifest.hours * 60:.1f} minutes")
        for setting in ("baseline", "single"):
            run = train(
                setting,
                corpus,
                features=FEATURES,
                preset="paper",
                repeats=REPEATS,
                cache=cache,
                out=out / "runs" / f"{corpus}-{setting}",
                overwrite=True,
                progress=progress,
            )
            runs.append(run.metrics)
    return runs
