"""The whole path on synthetic corpora: audio, features, models, a page, and a new utterance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from ..errors import SerError
from ..progress import Progress
from .acting import NEUTRAL_STYLE, act
from .corpora import SYNTHETIC, synthesise
from .layouts import LABELS, OWN
from .studio import Take, record

if TYPE_CHECKING:
    import pandas as pd

    from ..cache import Cache
    from ..train.runs.results import Metrics
    from ..train.runs.run import Run

FEATURES = ("mfcc", "ge2e")
REPEATS = 3
METHODS = ("sb", "ours")
NOTICE = (
    "All of this is synthetic speech (espeak-ng), whose emotions are settings of rate, pitch,\n"
    "range and volume. It shows that the path works, and nothing about real emotion."
)
TEXT = "Heute Abend bleibt die Werkstatt geschlossen."
VOICE = "de+m7"
ACTED = "anger"
"""A sentence and a voice that are in no corpus, and how it is said."""


@dataclass(frozen=True)
class Demo:
    """What the demo came to.

    Attributes:
        metrics: of every run, baselines first.
        run: the folder of the model for all languages.
        page: its report.
        sound: a new utterance.
        told: what the model says of it, as `Recognizer` does.
    """

    metrics: list[Metrics]
    run: Path
    page: Path
    sound: Path
    told: pd.DataFrame


def synthesise_speech(out: Path, progress: Progress) -> tuple[dict[str, Path], Path]:
    """The folders of the demo's corpora, and the new utterance, in `out`."""

    def synthesised(done: int, total: int) -> None:
        progress.show(f"synthesising {done} of {total} utterances", done, total)

    corpora = synthesise(out / "corpora", SYNTHETIC, progress=synthesised)
    return corpora, _new_utterance(out / "new.wav")


def run_demo(out: Path, progress: Progress) -> Demo:
    """Do everything in the folder `out`; what is there from an earlier demo is used again."""
    from ..cache import Cache
    from ..extract import extract_corpus
    from ..recognizer import Recognizer
    from ..train.runs.train import train

    roots, sound = synthesise_speech(out, progress)
    progress.say(f"corpora synthesised in {out / 'corpora'}")
    cache = Cache(out / "cache")
    for corpus, root in roots.items():
        report = extract_corpus(
            corpus,
            root,
            FEATURES,
            cache,
            csv=root / LABELS,
            language=OWN[corpus].language.partition("-")[0],
            progress=progress,
        )
        manifest = report.manifest
        progress.say(f"{corpus}: {len(manifest)} utterances, {manifest.hours * 60:.1f} minutes")

    def trained(setting: str, corpora: list[str], name: str, method: str = "") -> Run:
        return train(
            setting,
            corpora,
            features=FEATURES,
            method=method,
            repeats=REPEATS,
            cache=cache,
            out=out / "runs" / name,
            overwrite=True,
            progress=progress,
        )

    baselines = [trained("baseline", [corpus], f"{corpus}-baseline") for corpus in roots]
    several = [trained("multidomain", list(roots), method, method) for method in METHODS]
    page = _report(several, cache, out / "report.html", progress)
    progress.show(f"listening to {sound}")
    recognizer = Recognizer(several[-1], "synthetic-german", device="cpu")
    metrics = [run.metrics for run in (*baselines, *several)]
    return Demo(metrics, out / "runs" / METHODS[-1], page, sound, recognizer(sound))


def _report(runs: list[Run], cache: Cache, page: Path, progress: Progress) -> Path:
    from ..report.page import Asked, make_report, render
    from ..report.write import write_page

    terms = {each.key.hash: each.licence for each in cache.listing() if each.licence}
    write_page(page, render(make_report(runs, Asked(cache, terms=terms), progress.show)))
    return page


def _new_utterance(path: Path) -> Path:
    delivery = act(ACTED, 1.0, NEUTRAL_STYLE, Random(0))
    try:
        record([Take(path, TEXT, VOICE, delivery)])
    except OSError as error:
        raise SerError(f"Cannot write {path}: {error}") from error
    return path
