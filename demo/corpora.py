"""Synthesising whole corpora into a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from ..errors import InputError, SerError
from ..files import PARTIAL, atomic_text
from .acting import act, habits
from .layouts import LAYOUTS, Line
from .studio import Take, record

DEMO_CORPORA = tuple(LAYOUTS)
"""The corpora that are imitated: German, French and English."""

MARK = "synthetic.json"
"""In the root of every synthetic corpus: what it is and how it was made."""

RECIPE = 1
"""Raised whenever the same arguments give other audio."""


def synthesise(
    folder: Path,
    corpora: Sequence[str] = DEMO_CORPORA,
    *,
    speakers: int | None = None,
    sentences: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Synthesise small acted corpora with espeak-ng, each in the layout of the one it imitates.

    Every speaker says every sentence in every emotion of the corpus (for CaFE in both
    intensities; in IEMOCAP, `sentences` turns per emotion, and a few turns without a label).
    On one machine, the same arguments give the same bytes; a corpus that is already there
    from the same arguments is left as it is.

    Args:
        folder: each corpus goes into a folder of its name in here.
        corpora: some of `DEMO_CORPORA`.
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
    productions = [
        Production(Path(folder) / name, name, speakers, sentences, seed) for name in corpora
    ]
    total = sum(len(production.lines) for production in productions)
    done = 0

    def recorded() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    for production in productions:
        production.make(recorded)
    return {production.name: production.root for production in productions}


class Production:
    """One corpus in the making."""

    def __init__(
        self, root: Path, name: str, speakers: int | None, sentences: int | None, seed: int
    ) -> None:
        layout = LAYOUTS[name]
        cast = layout.speakers[:speakers]
        texts = layout.texts[: sentences or layout.sentences]
        self.root = root
        self.name = name
        self.lines = layout.script(cast, texts)
        self._layout = layout
        self._seed = seed
        self._habits = {
            speaker.name: habits(Random(f"{seed}/{name}/{speaker.name}")) for speaker in cast
        }
        facts = {
            "what": "synthetic speech by espeak-ng, for demonstrations and tests only",
            "layout": name,
            "speakers": len(cast),
            "sentences": len(texts),
            "seed": seed,
            "recipe": RECIPE,
        }
        self._mark = json.dumps(facts, indent=2) + "\n"

    def make(self, recorded: Callable[[], None]) -> None:
        """Record the corpus beside its place, and move it there once it is whole."""
        if self._finished():
            for _ in self.lines:
                recorded()
            return
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self.root.parent) as scratch:
                draft = Path(scratch) / self.name
                seconds = record([self._take(line, draft) for line in self.lines], recorded)
                for path, text in self._layout.annotate(self.lines, seconds).items():
                    atomic_text(draft / path, text)
                atomic_text(draft / MARK, self._mark)
                if self.root.exists():
                    self.root.rmdir()  # it is empty; on Windows a rename would not replace it
                draft.rename(self.root)
        except OSError as error:
            raise SerError(
                f"Cannot write the synthetic corpus {self.root}: {error}\n"
                "Make room there, or choose another folder"
            ) from error

    def _finished(self) -> bool:
        """Whether the corpus is there already; False where there is nothing."""
        if not self.root.exists() or (self.root.is_dir() and not any(self.root.iterdir())):
            return False
        mark = self.root / MARK
        if mark.is_file() and mark.read_bytes() == self._mark.encode():
            return True
        raise InputError(
            f"{self.root} holds something else than the synthetic corpus asked for "
            f"(see {MARK} in it, if any).\nRemove it, or choose another folder"
        )

    def _take(self, line: Line, root: Path) -> Take:
        rng = Random(f"{self._seed}/{self.name}/{line.path}")
        delivery = act(line.emotion, line.strength, self._habits[line.speaker.name], rng)
        voice = f"{self._layout.language}+{line.speaker.variant}"
        return Take(root / line.path, line.text, voice, delivery)
