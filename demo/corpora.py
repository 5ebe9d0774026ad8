"""Synthesising whole corpora into a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from ..errors import InputError, SerError
from ..files import PARTIAL, atomic_text
from .acting import act, habits
from .layouts import IMITATIONS, LAYOUTS, OWN, Line
from .studio import Take, record

IMITATED = tuple(IMITATIONS)
"""Real corpora whose layout and labels are imitated: German, French and English."""

SYNTHETIC = tuple(OWN)
"""Corpora that are called what they are, in the same languages: folders with a CSV of labels."""

MARK = "synthetic.json"
"""In the root of every synthetic corpus: what it is and how it was made."""

RECIPE = 1
"""Raised whenever the same arguments give other audio."""


def synthesise(
    folder: Path,
    corpora: Sequence[str] = IMITATED,
    *,
    speakers: int | None = None,
    sentences: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Synthesise small acted corpora with espeak-ng, each in its layout.

    Every speaker says every sentence in every emotion of the corpus (for CaFE in both
    intensities; in IEMOCAP, `sentences` turns per emotion, and a few turns without a label).
    On one machine, the same arguments give the same bytes; a corpus that is already there
    from the same arguments is left as it is.

    Args:
        folder: each corpus goes into a folder of its name in here.
        corpora: some of `IMITATED` and `SYNTHETIC`.
        speakers: at most so many a corpus; all (10, 12 and 10) if not given.
        sentences: at most so many a speaker and emotion; 3, 3 and 5 if not given.
        seed: of the variation between speakers and utterances.
        progress: called with the number of utterances done and in all.

    Returns:
        The root folder of each corpus.

    Raises:
        InputError: an unknown corpus, a size below one, or a folder that holds something else.
        MissingPackageError: espeakng-loader is not installed.
        SerError: espeak-ng failed.
    """
    for name in corpora:
        if name not in LAYOUTS:
            raise InputError(
                f"No synthetic corpus is called {name!r}. Choose from: {', '.join(LAYOUTS)}"
            )
    for size, value in (("speakers", speakers), ("sentences", sentences)):
        if value is not None and value < 1:
            raise InputError(f"{size} is {value}; a corpus needs at least 1")
    plans = [_plan(Path(folder) / name, speakers, sentences, seed) for name in corpora]
    total = sum(len(plan.lines) for plan in plans)
    numbers = count(1)

    def recorded() -> None:
        if progress:
            progress(next(numbers), total)

    for plan in plans:
        if _finished(plan):
            for _ in plan.lines:
                recorded()
        else:
            _make(plan, recorded)
    return {plan.root.name: plan.root for plan in plans}


@dataclass(frozen=True)
class _Plan:
    """One corpus to be made; its root has the name of its layout."""

    root: Path
    lines: list[Line]
    seed: int
    mark: str


def _plan(root: Path, speakers: int | None, sentences: int | None, seed: int) -> _Plan:
    layout = LAYOUTS[root.name]
    cast, texts = layout.speakers[:speakers], layout.texts[: sentences or layout.sentences]
    facts = {
        "what": "synthetic speech by espeak-ng, for demonstrations and tests only",
        "layout": root.name,
        "speakers": len(cast),
        "sentences": len(texts),
        "seed": seed,
        "recipe": RECIPE,
    }
    return _Plan(root, layout.script(cast, texts), seed, json.dumps(facts, indent=2) + "\n")


def _finished(plan: _Plan) -> bool:
    """Whether the corpus is there already; raises InputError where something else is."""
    root, mark = plan.root, plan.root / MARK
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if mark.is_file() and mark.read_bytes() == plan.mark.encode():
        return True
    raise InputError(
        f"{root} holds something else than the synthetic corpus asked for "
        f"(see {MARK} in it, if any).\nRemove it, or choose another folder"
    )


def _make(plan: _Plan, recorded: Callable[[], None]) -> None:
    """Record a corpus beside its place, and move it there once it is whole."""
    root, layout = plan.root, LAYOUTS[plan.root.name]
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=root.parent) as scratch:
            draft = Path(scratch) / root.name
            seconds = record([_take(plan, line, draft) for line in plan.lines], recorded)
            for path, text in layout.annotate(plan.lines, seconds).items():
                atomic_text(draft / path, text)
            atomic_text(draft / MARK, plan.mark)
            if root.exists():
                root.rmdir()  # it is empty; on Windows a rename would not replace it
            draft.rename(root)
    except OSError as error:
        raise SerError(
            f"Cannot write the synthetic corpus {root}: {error}\n"
            "Make room there, or choose another folder"
        ) from error


def _take(plan: _Plan, line: Line, draft: Path) -> Take:
    name, speaker = plan.root.name, line.speaker
    style = habits(Random(f"{plan.seed}/{name}/{speaker.name}"))
    rng = Random(f"{plan.seed}/{name}/{line.path}")
    voice = f"{LAYOUTS[name].language}+{speaker.variant}"
    return Take(draft / line.path, line.text, voice, act(line.emotion, line.strength, style, rng))
