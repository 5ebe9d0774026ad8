"""Anybody's corpus: a CSV with `path` and `emotion`, and whatever else is known."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .corpora.corpus import Entry, Scan
from .csv_paths import OutsideError, outside_root, path_in_root
from .fingerprint import FINGERPRINT
from .manifest import GENDERS
from .missing import is_missing
from .names import (
    check_language,
    id_from_path,
    is_utterance_id,
    language_tag,
    listing,
    problem_with_language,
)
from .spellings import REMEDY, is_group, spelt_twice, tidy
from .tables import Row, Table, read_table
from .text import plain
from .vocabulary import (
    EMOTIONS,
    LEFT_OUT,
    advice,
    normalise,
    option_for,
    ordered,
    parse_declarations,
    read_emotion,
)

_COMPUTED = ("corpus", "duration", "audio_hash", FINGERPRINT)
"""Columns that a manifest has and a user need not give: they are always made anew."""

OPTIONAL = ("id", "speaker", "gender", "language", *_COMPUTED)
_APART = {"id", "path", "emotion", *_COMPUTED}
"""Columns that are not only tidied and kept."""

_GENDERS = {"f": "female", "w": "female", "m": "male", "u": ""}


@dataclass
class _Findings:
    """What is wrong with a table, what to do about each kind of it, and what is to be told."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    remedies: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def wrong(self, line: int, reason: str, remedy: str = "") -> None:
        self.problems.append((line, reason))
        if remedy:
            self.remedies[remedy] = None


def scan_csv(file: Path, language: str | None, root: Path, options: Mapping[str, str]) -> Scan:
    """Read a corpus from a CSV file: `path` (below `root`) and `emotion`, one row per utterance.

    Optional columns: `id` (else made of the path), `speaker`, `gender`, `language`; others are
    kept. What means "not known" (see `missing`) is blank. Option `emotions` declares further
    emotions and words, and words whose rows are left out: see `parse_declarations`.

    Raises:
        InputError: with the line numbers of what is wrong.
    """
    given = options.get("emotions", "")
    declared = parse_declarations(given)
    table = read_table(file, ("path", "emotion"), OPTIONAL, verbatim=("path",))
    if not table.rows:
        raise InputError(f"{file} has a header but no utterances")
    found = _Findings(notes=list(table.notes))
    emotions = _emotions(table, declared, given, found)
    rows = [row for row in table.rows if emotions[row.line] != LEFT_OUT]
    if not rows:
        raise InputError(f"{file}: emotions={given} leaves out all {len(table.rows)} rows")
    cells = _tidied(table, rows, found)
    paths = _paths(table, rows, root, found)
    ids = _ids(rows, paths, found)
    for row in rows:
        gender = cells[row.line].get("gender", "")
        if gender not in GENDERS:
            allowed = f"use {', '.join(GENDERS[:3])} or leave it blank"
            found.wrong(row.line, f"gender {gender!r}; {allowed}")
    if found.problems:
        raise table.problem(found.problems, "\n".join(found.remedies))
    left = {emotions[row.line] for row in rows}
    if len(left) == 1 and len(rows) < len(table.rows):
        raise InputError(
            f"{file}: emotions={given} leaves out all rows but those of {left.pop()!r}: there is "
            "nothing left to tell apart"
        )
    entries = [
        Entry(
            id=ids[row.line],
            path=paths[row.line],
            emotion=emotions[row.line],
            speaker=cells[row.line].pop("speaker", ""),
            gender=cells[row.line].pop("gender", ""),
            extra={name: cell for name, cell in cells[row.line].items() if name != "language"},
            where=f"{file.name}, line {row.line}",
        )
        for row in rows
    ]
    codes = {row.line: cells[row.line].get("language", "") for row in rows}
    return Scan(entries, _language(table, codes, language, found), found.notes)


def _emotions(
    table: Table, declared: Mapping[str, str], given: str, found: _Findings
) -> dict[int, str]:
    """The emotion of each line. Nothing is replaced or left out without a note."""
    emotions: dict[int, str] = {}
    refused: dict[str, None] = {}
    read: Counter[tuple[str, str]] = Counter()
    for row in table.rows:
        word = normalise(row.cells["emotion"])
        try:
            emotions[row.line] = read_emotion(word, declared)
        except ValueError as error:
            emotions[row.line] = word or "missing"
            found.wrong(row.line, str(error))
            refused[word] = None
        else:
            read[word, emotions[row.line]] += 1
    if refused:
        found.remedies[_remedy(list(refused), declared, given)] = None
    for (word, meant), count in read.items():
        if meant == LEFT_OUT:
            found.notes.append(f"{count} rows were left out, whose emotion is {word!r}")
        elif word != meant and word not in EMOTIONS:
            found.notes.append(f"{word!r} was read as {meant!r} ({count} rows)")
    words = [normalise(item.partition("=")[0]) for item in given.split(",")]
    unseen = [word for word in words if word and word not in {seen for seen, _ in read}]
    unseen = [word for word in unseen if not (is_missing(word) and LEFT_OUT in declared)]
    if unseen and not refused:
        found.notes.append(f"no row has the emotion {listing(map(repr, unseen))} of --option")
    return emotions


def _remedy(refused: list[str], declared: Mapping[str, str], given: str) -> str:
    """How to have words read that were refused, as an option that can be typed."""
    known = ordered(filter(None, (*EMOTIONS, *declared.values())))
    lines = [f"Known are {', '.join(known)}."]
    told = [said for word in refused[:20] if (said := advice(word)) is not None]
    if told:
        option = shlex.quote(f"emotions={option_for(refused[:20], given)}")
        lines.append(
            f"This option reads the others: --option {option}\n"
            "There, word=emotion reads a word as an emotion, a word alone adds it as an emotion of "
            "its own, and word= leaves its rows out."
        )
    others = [word for word in refused if advice(word) is None]
    if others:
        lines.append(f"Write {listing(map(repr, others))} in the table without ',' and '='.")
    if len(refused) > 20:
        lines.append(f"There are {len(refused)} such words: is 'emotion' the right column?")
    return "\n".join(lines)


def _tidied(table: Table, rows: list[Row], found: _Findings) -> dict[int, dict[str, str]]:
    """The cells of each line in one form; a name that is written in two ways is a problem."""
    cells: dict[int, dict[str, str]] = {row.line: {} for row in rows}
    for column in table.columns:
        if column in _APART:
            continue
        values, notes = tidy(column, [row.cells[column] for row in rows])
        if column == "gender":
            values = [_GENDERS.get(value.lower(), value.lower()) for value in values]
        if column == "language":
            values = [language_tag(value) for value in values]
        found.notes += notes
        for row, value in zip(rows, values, strict=True):
            cells[row.line][column] = value
        for place, reason in spelt_twice(column, values) if is_group(column) else ():
            found.wrong(rows[place].line, reason, REMEDY)
    return cells


def _paths(table: Table, rows: list[Row], root: Path, found: _Findings) -> dict[int, str]:
    paths: dict[int, str] = {}
    outside: list[Row] = []
    for row in rows:
        try:
            paths[row.line] = path_in_root(row.cells["path"], root)
        except OutsideError:
            outside.append(row)
        except ValueError as error:
            found.wrong(row.line, str(error))
    if outside:
        count = (
            "an absolute path does" if len(outside) == 1 else f"{len(outside)} absolute paths do"
        )
        raise InputError(
            f"{table.file}: {count} not lie in the corpus root {root}, such as line "
            f"{outside[0].line}: the path {outside[0].cells['path']!r}.\n"
            f"{outside_root([row.cells['path'] for row in rows], root)}"
        )
    return paths


def _ids(rows: list[Row], paths: Mapping[int, str], found: _Findings) -> dict[int, str]:
    """The id of each line: that of the table, else made of the path."""
    ids: dict[int, str] = {}
    first: dict[str, int] = {}
    absent: Counter[str] = Counter()
    for row in rows:
        given = plain(row.cells.get("id", ""))
        if row.line not in paths:
            continue
        if is_missing(given):
            absent[given] += bool(given)
            given, name = "", id_from_path(paths[row.line])
        else:
            name = given
        if not is_utterance_id(name):
            reason = f"{name!r} is no id: use up to 128 letters, digits, '-', '_' and '.'"
            found.wrong(row.line, reason)
            continue
        ids[row.line] = name
        before = first.setdefault(name.lower(), row.line)
        if before == row.line:
            continue
        if given:
            found.wrong(row.line, f"duplicate id {name!r}, which line {before} has already")
        else:
            same = paths[before] == paths[row.line]
            found.wrong(
                row.line,
                f"the path gives the id {name!r}, which line {before} has already",
                "One path stands in several rows: delete all but one."
                if same
                else "Different paths give one id: add a column 'id' with a name of its own for "
                "each utterance.",
            )
    words = [f"{word!r} ({count})" for word, count in absent.items() if count]
    if words:
        found.notes.append(f"id: made of the path where it is missing: {listing(words)}")
    return ids


def _language(table: Table, codes: Mapping[int, str], given: str | None, found: _Findings) -> str:
    """The one language of a corpus: of its lines, or as it was given."""
    first: dict[str, int] = {}
    for line, code in codes.items():
        first.setdefault(code, line)
    spoken = [code for code in first if not is_missing(code)]
    if len(spoken) > 1:
        raise table.problem(
            [(first[code], f"language {code!r}") for code in spoken],
            "A corpus has one language: make one corpus of each.",
        )
    if given and spoken and given != spoken[0]:
        raise InputError(f"{table.file} says language {spoken[0]!r}, but {given!r} was asked for")
    language = given or next(iter(spoken), "")
    absent = [code for code in first if code and is_missing(code)]
    if not language:
        hint = f" that says more than {listing(map(repr, absent))}" if absent else ""
        more = "".join(
            f"\n{problem}" for problem in map(problem_with_language, absent[:1]) if problem
        )
        raise InputError(
            f"which language is {table.file}? Give --language, such as --language pt, or a column "
            f"'language'{hint}{more}"
        )
    check_language(language)
    if absent:
        found.notes.append(f"language: {listing(map(repr, absent))} means 'not known'")
    return language
