"""Anybody's corpus: a CSV with `path` and `emotion`, and whatever else is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from .entries import Entry, Scan
from .manifest import GENDERS
from .names import check_language, id_from_path, is_utterance_id
from .paths import audio_path, exists, is_inside, stored_path
from .tables import Row, Table, read_table
from .vocabulary import EMOTIONS, normalise, parse_declarations, read_emotion

OPTIONAL = ("id", "speaker", "gender", "language", "corpus", "duration", "audio_hash")
_COMPUTED = ("corpus", "duration", "audio_hash")
"""Columns that a manifest has and a user need not give: they are always made anew."""

_GENDERS = {"f": "female", "w": "female", "m": "male", "unknown": ""}


def scan_csv(file: Path, root: Path, language: str | None, options: Mapping[str, str]) -> Scan:
    """Read a corpus from a CSV file: `path` (below `root`) and `emotion`, one row per utterance.

    Optional columns: `id` (else made of the path), `speaker`, `gender`, `language`; others are
    kept. Option `emotions` declares further emotions and words: see `parse_declarations`.

    Raises:
        InputError: with the line numbers of what is wrong.
    """
    table = read_table(file, ("path", "emotion"), OPTIONAL)
    declared = parse_declarations(options.get("emotions", ""))
    if not table.rows:
        raise InputError(f"{file} has a header but no utterances")
    entries: list[Entry] = []
    problems: list[tuple[int, str]] = []
    lines: dict[str, int] = {}
    for row in table.rows:
        try:
            entry = _entry(row, table, root, declared)
            first = lines.setdefault(entry.id.lower(), row.line)
            if first != row.line:
                given = "duplicate id" if row.cells.get("id") else "the path gives the id"
                raise ValueError(f"{given} {entry.id!r}, which line {first} has already")
            entries.append(entry)
        except ValueError as error:
            problems.append((row.line, str(error)))
    if problems:
        raise table.problem(problems)
    return Scan(entries, _language(table, language), _readings(table, declared))


def _entry(row: Row, table: Table, root: Path, declared: Mapping[str, str]) -> Entry:
    cells = row.cells
    path = _path(cells["path"], root)
    name = cells.get("id") or id_from_path(path)
    if not is_utterance_id(name):
        raise ValueError(f"{name!r} is no id: use up to 128 letters, digits, '-', '_' and '.'")
    gender = normalise(cells.get("gender", ""))
    gender = _GENDERS.get(gender, gender)
    if gender not in GENDERS:
        raise ValueError(f"gender {gender!r}; use {', '.join(GENDERS[:3])} or leave it blank")
    taken = {"id", "path", "emotion", "speaker", "gender", "language", *_COMPUTED}
    return Entry(
        id=name,
        path=path,
        emotion=read_emotion(cells["emotion"], declared),
        speaker=cells.get("speaker", ""),
        gender=gender,
        extra={column: value for column, value in cells.items() if column not in taken},
        where=f"{table.file.name}, line {row.line}",
    )


def _path(written: str, root: Path) -> str:
    """Give the stored form of a path that a user wrote: relative to the root, or inside it."""
    if not written:
        raise ValueError("the path is missing")
    path = Path(written)
    if path.is_absolute():
        base = next((b for b in (root.absolute(), root.resolve()) if path.is_relative_to(b)), None)
        if base is None:
            raise ValueError(f"the path {written!r} does not lie in the corpus root {root}")
        path = path.relative_to(base)
    elif "\\" in written and not exists(root / path):  # a table made on Windows
        path = Path(written.replace("\\", "/"))
    if not is_inside(path.as_posix()):
        raise ValueError(f"the path {written!r} leaves the corpus root {root}")
    relative = path.as_posix()
    # A path copied from a manifest is in the stored form already.
    copied = not exists(root / path) and exists(audio_path(root, relative))
    return relative if copied else stored_path(relative)


def _language(table: Table, given: str | None) -> str:
    first: dict[str, int] = {}
    for row in table.rows:
        first.setdefault(row.cells.get("language", "").lower(), row.line)
    found = [name for name in first if name]
    if len(found) > 1:
        raise table.problem(
            [(first[name], f"language {name!r}") for name in found],
            "A corpus has one language: make one corpus of each.",
        )
    if given and found and given != found[0]:
        raise InputError(f"{table.file} says language {found[0]!r}, but {given!r} was asked for")
    language = given or (found[0] if found else "")
    if not language:
        raise InputError(
            f"which language is {table.file}? Give --language, such as --language pt, or a column "
            "'language'"
        )
    check_language(language)
    return language


def _readings(table: Table, declared: Mapping[str, str]) -> list[str]:
    """Tell which words were read as another emotion: nothing is replaced in silence."""
    counts: dict[tuple[str, str], int] = {}
    for row in table.rows:
        word = normalise(row.cells["emotion"])
        meant = read_emotion(word, declared)
        if word != meant and word not in EMOTIONS:
            counts[word, meant] = counts.get((word, meant), 0) + 1
    return [f"{word!r} was read as {meant!r} ({n} rows)" for (word, meant), n in counts.items()]
