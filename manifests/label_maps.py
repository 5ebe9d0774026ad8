"""Label maps: emotions of corpora merged, renamed or left out for one training.

A map changes no manifest and no cache. It acts where a model is trained, on the labels that the
cache has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import InputError, did_you_mean, listing
from .csv_files import TableError, read_csv
from .manifest import Manifest
from .missing import is_missing
from .spellings import REMEDY, spelling
from .vocabulary import EMOTIONS, LEFT_OUT, SYNONYMS, normalise, problem_with_emotion

MAPS = Path(__file__).parent / "maps"

BY_MAP = "Labels by the map"
"""How a sentence begins that says what a map changed."""

OTHERS = "*"
"""What stands for all emotions that a map names in neither column; without it they stay as they
are."""


@dataclass(frozen=True)
class LabelMap:
    """What becomes of emotions.

    Attributes:
        meanings: by emotion or `OTHERS`, the label that it gets, or `LEFT_OUT`.
        name: of the ready map or the file, for messages.
    """

    meanings: Mapping[str, str]
    name: str = "of one's own"

    @classmethod
    def of(cls, meanings: Mapping[str, str], name: str = "of one's own") -> LabelMap:
        """One of one's own, whose words are read as those of a file are.

        Raises:
            InputError: what is wrong in it.
        """
        for word, meant in meanings.items():
            if not isinstance(word, str) or not isinstance(meant, str | None):
                raise InputError(
                    f"label map {name}: {word!r:.50}: {meant!r:.50}: expected an emotion and its "
                    "label as text, None or blank to leave it out"
                )
        rows = [(n, word, meant or LEFT_OUT) for n, (word, meant) in enumerate(meanings.items(), 1)]
        return cls._read(name, rows, "entry")

    @classmethod
    def load(cls, name: str) -> LabelMap:
        """A ready map by its name, or a CSV file with the columns `from` and `to`; a blank `to`
        leaves out.

        Raises:
            InputError: there is no such map, or with line numbers what is wrong in it.
        """
        path = MAPS / f"{name}.csv" if name in ready_maps() else Path(name)
        if not path.is_file():
            raise InputError(
                f"no label map {name!r}{did_you_mean(name, ready_maps())}: expected one of "
                f"{', '.join(ready_maps())}, or a CSV file with the columns from and to"
            )
        table = read_csv(path, ("from", "to")).rows.items()
        return cls._read(name, [(line, row["from"], row["to"]) for line, row in table])

    @classmethod
    def _read(cls, name: str, rows: Iterable[tuple[int, str, str]], word: str = "line") -> LabelMap:
        meanings: dict[str, str] = {}
        problems: list[tuple[int, str]] = []
        for line, *both in rows:
            written, meant = map(_emotion, both)
            problem = _problem(written, meant)
            if meanings.setdefault(written, meant) != meant:
                before = meanings[written] or "left out"
                problem = f"{written!r} is given two labels, {before!r} and {meant or 'left out'!r}"
            if problem:
                problems.append((line, problem))
        if problems:
            raise TableError(f"label map {name}", problems, word=word)
        if not meanings:
            raise InputError(f"label map {name}: has no labels")
        if not any(meanings.values()) and OTHERS in meanings:
            raise InputError(f"label map {name}: maps to no label, so that nothing would be left")
        return cls(meanings, name)

    def check(self, labels: Iterable[str]) -> None:
        """Raise InputError for emotions that none of the corpora has, whose `labels` these are, nor
        the vocabulary."""
        known = dict.fromkeys((*labels, *EMOTIONS, OTHERS))
        for word in self.meanings:
            if word not in known:
                raise InputError(
                    f"label map {self.name}: no corpus has the emotion {word!r}"
                    f"{did_you_mean(word, known)}; they have {', '.join(dict.fromkeys(labels))}"
                )

    def applied(self, manifest: Manifest) -> Manifest:
        """The utterances that are left of a corpus, with their new labels.

        Raises:
            InputError: none are, all have one label, or two labels look like one.
        """
        emotions = [self(emotion) for emotion in manifest.table["emotion"]]
        left = dict.fromkeys(filter(None, emotions))
        if len(left) < 2:
            rest = f"only {next(iter(left))!r}" if left else "nothing"
            raise InputError(
                f"label map {self.name}: leaves {rest} of {manifest.corpus} "
                f"({', '.join(manifest.labels)}), and training tells at least two labels apart"
            )
        first: dict[str, str] = {}
        for label in left:
            if (other := first.setdefault(spelling(label), label)) != label:
                raise InputError(
                    f"label map {self.name}: leaves {manifest.corpus} the labels {other!r} and "
                    f"{label!r}, which look like one. {REMEDY}"
                )
        table = manifest.table.assign(emotion=emotions)
        return Manifest(table[table["emotion"] != LEFT_OUT])

    def __call__(self, emotion: str) -> str:
        """The label of an emotion, or `LEFT_OUT`."""
        if emotion in self.meanings or emotion in self._targets:
            return self.meanings.get(emotion, emotion)
        return self.meanings.get(OTHERS, emotion)

    @cached_property
    def _targets(self) -> set[str]:
        """Labels that emotions which are named get."""
        return {meant for word, meant in self.meanings.items() if word != OTHERS}

    def note(self, manifest: Manifest) -> str:
        """What it changes of a corpus, as a sentence."""
        counts = manifest.counts()
        changed = {label: self(label) for label in counts if self(label) != label}
        said = Counter({label: counts[label] for label in changed})
        merged = [f"{label} as {new} ({said[label]})" for label, new in changed.items() if new]
        gone = [f"{label} ({said[label]})" for label, new in changed.items() if not new]
        parts = [listing(merged, 30), f"left out {listing(gone, 30)}" if gone else ""]
        told = "; ".join(filter(None, parts))
        if not told:
            return f"The map {self.name} changes no label of {manifest.corpus}."
        return f"{BY_MAP} {self.name}: {told}."

    @cached_property
    def plain(self) -> dict[str, str]:
        """The meanings, for a record."""
        return dict(self.meanings)


def ready_maps() -> list[str]:
    """Names of the maps that come with the package."""
    return sorted(path.stem for path in MAPS.glob("*.csv"))


def _emotion(text: str) -> str:
    word = normalise(text)
    return SYNONYMS.get(word, word)


def _problem(written: str, meant: str) -> str | None:
    """Why a row of a map cannot be, if so."""
    if not written:
        return "nothing stands in the column from"
    if not meant:
        return None
    if meant == OTHERS:
        return f"{OTHERS!r} can only stand in the column from"
    if is_missing(meant):
        return f"{meant!r} is no label; to leave out {written!r}, leave the column to blank"
    return problem_with_emotion(meant)
