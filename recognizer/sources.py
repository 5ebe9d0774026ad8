"""What is to be predicted: files, folders and lists, as a user names them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, listing
from ..manifests.csv_files import stream_csv
from ..manifests.missing import is_missing
from ..manifests.paths import audio_files, content
from ..manifests.spellings import spelt_twice
from ..manifests.text import alike

SUFFIXES = frozenset(
    {".wav", ".flac", ".aif", ".aiff", ".aifc", ".mp3", ".ogg", ".oga", ".opus"}
)  # fmt: skip
"""Suffixes of the files of a folder that are taken, in lower case."""

FOREIGN = frozenset(
    {".m4a", ".mp4", ".aac", ".wma", ".webm", ".amr", ".3gp", ".mkv", ".mov", ".avi", ".ape"}
)
"""Suffixes of sound in other formats."""

ALL, FOLDER = "all", "folder"
"""How speakers are said, beside a column of the lists: all files are of one, or those of a folder
are."""

_LIST = ".csv"
_DEPTH = 64

_Part = Path | tuple[Path, Sequence[str]]
"""A file or a list, or a folder and the names below it."""


@dataclass(frozen=True)
class Source:
    """One file.

    Attributes:
        name: as the user knows it: as it was typed, or as it stands in a list.
        path: where it is.
        id: what a list calls it.
        speaker: whose it is; blank where that is not known.
    """

    name: str
    path: Path
    id: str = ""
    speaker: str = ""

    @property
    def line(self) -> str:
        """What tells it from others in a record."""
        return f"{self.name}\0{self.speaker}" if self.speaker else self.name


@dataclass(frozen=True)
class Sources:
    """All files, in the order in which they were named; those of a folder are sorted.

    Iterating reads lists anew, a row at a time.

    Attributes:
        count: how many they are.
        widest: characters of the longest name.
        with_ids: whether a list has a column `id`.
        notes: what the user should know.
        speaker: how speakers are said, see `find_sources`.
    """

    parts: Sequence[_Part]
    count: int
    widest: int
    with_ids: bool
    notes: Sequence[str]
    speaker: str = ""

    def __iter__(self) -> Iterator[Source]:
        for part in self.parts:
            yield from _each(part, self.speaker, Counter())


def find_sources(named: Sequence[Path], speaker: str = "") -> Sources:
    """Look at what was named: a file, a folder with all that lies below it, or a list.

    A list is a CSV with the column `path`, relative to the folder of the list, and perhaps `id`.

    Args:
        speaker: how it is said whose the files are: `ALL`, `FOLDER`, or a column of the lists, in
            which cells that are blank or say so (`nan`) are unknown speakers; blank: it is not.

    Raises:
        InputError: there is no such thing, a folder without audio, a list that is none, or
            something else than a list where speakers are in a column.
    """
    notes: list[str] = []
    unknown: Counter[str] = Counter()
    people: Counter[str] = Counter()
    parts = [_folder(path, notes) if path.is_dir() else path for path in named]
    count = widest = 0
    for path, part in zip(named, parts, strict=True):
        found = 0
        if part is path and not _is_list(path) and not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if speaker not in ("", ALL, FOLDER) and not _is_list(part):
            raise InputError(
                f"--speaker {speaker}: {path} is no list that could have this column; expected "
                f"lists alone, or --speaker {FOLDER} or {ALL}"
            )
        for source in _each(part, speaker, unknown):
            found += 1
            people[source.speaker] += 1
            widest = max(widest, len(source.name))
        if not found:
            raise InputError(f"{path}: has a header, and lists no file")
        count += found
    if unknown:
        words = listing(f"{word!r} ({times})" for word, times in unknown.most_common())
        notes.append(f"--speaker {speaker}: {words} is nobody's name, and taken for unknown")
    if speaker not in ("", ALL, FOLDER):
        twice = dict.fromkeys(why for _, why in spelt_twice(speaker, list(people.elements())))
        notes += [f"--speaker {why}: they are heard as two people" for why in twice]
    return Sources(parts, count, widest, any(map(_has_ids, parts)), notes, speaker)


def _folder(folder: Path, notes: list[str]) -> tuple[Path, list[str]]:
    """A folder and the names of its files below it."""
    names = audio_files(folder, _DEPTH, SUFFIXES | FOREIGN)
    known = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    foreign = [name for name in names if Path(name).suffix.lower() in FOREIGN]
    told = f"{listing(foreign, 3)}: of another format, convert: ffmpeg -i OLD NEW.wav"
    if not known and foreign:
        raise InputError(f"{folder}: no audio file that can be read; there are {told}")
    if not known:
        raise InputError(
            f"{folder}: no audio file in it; expected some with the suffixes "
            f"{', '.join(sorted(SUFFIXES))}, and there is {content(folder)}"
        )
    if foreign:
        notes.append(f"{folder}: left out {told}")
    return folder, known


def _each(part: _Part, speaker: str, unknown: Counter[str]) -> Iterator[Source]:
    """Its files; words that say that a speaker is not known are counted."""
    if isinstance(part, tuple):
        folder, names = part
        for name in names:
            path = folder / name
            yield Source(str(path), path, speaker=_whose(path, speaker))
    elif _is_list(part):
        yield from _listed(part, speaker, unknown)
    else:
        yield Source(str(part), part, speaker=_whose(part, speaker))


def _listed(file: Path, speaker: str, unknown: Counter[str]) -> Iterator[Source]:
    column = alike(speaker) if speaker not in ("", ALL, FOLDER) else ""
    required = ("path", column) if column else ("path",)
    for line, row in stream_csv(file, required, ("id",)):
        written = row["path"].strip()
        if not written:
            raise InputError(f"{file}, line {line}: the path is missing")
        path = file.parent / written
        if "\\" in written and not path.exists():  # of a list that was made on Windows
            path = file.parent / written.replace("\\", "/")
        whose = row[column].strip() if column else _whose(path, speaker)
        if column and whose and is_missing(whose):
            unknown[whose] += 1
            whose = ""
        yield Source(written, path, row.get("id", "").strip(), whose)


def _whose(path: Path, speaker: str) -> str:
    """The speaker of a file where no list says it."""
    return os.path.realpath(path.parent) if speaker == FOLDER else speaker


def _has_ids(part: _Part) -> bool:
    if isinstance(part, tuple) or not _is_list(part):
        return False
    _, row = next(stream_csv(part, ("path",), ("id",)))
    return "id" in row


def _is_list(part: _Part) -> bool:
    return not isinstance(part, tuple) and part.suffix.lower() == _LIST
