"""Anybody's corpus as a table, whatever it was read from: paths, emotions, what else is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path, PurePath

from ..errors import InputError, listing
from .corpora.corpus import Entry, Scan
from .csv_files import TableError
from .csv_paths import OutsideError, outside_root, path_in_root
from .fingerprint import FINGERPRINT
from .manifest import problem_with_gender
from .missing import is_missing
from .names import duplicates, id_from_path, language_tag, problem_with_id, problem_with_language
from .pieces import Spans
from .spellings import REMEDY, is_group, spelt_twice, tidy
from .text import plain
from .usual import unusual
from .vocabulary import EMOTIONS, LEFT_OUT, normalise, parse_declarations, read_emotion, remedy

_Rows = Mapping[int, Mapping[str, str]]  # cells by column, by line

COMPUTED = ("corpus", "duration", "audio_hash", FINGERPRINT)
"""Columns that a manifest has and a user need not give: they are always made anew."""

OPTIONAL = ("id", "speaker", "gender", "language", *COMPUTED)
_APART = {"id", "path", "emotion", *COMPUTED}  # columns that are not only tidied and kept

_GENDERS = {"f": "female", "w": "female", "m": "male", "u": ""}


@dataclass(frozen=True)
class Table:
    """What a file of somebody's says of utterances, as it is written there.

    Attributes:
        where: what it was read from, for messages.
        columns: the cells of each, by its name; `path` and `emotion` are there.
        numbers: of each row, for messages.
        word: what a row is called there.
        licence: that it says the corpus is under.
        spans: of the utterances in their recordings; None: they are whole.
    """

    where: str
    columns: Mapping[str, list[str]]
    numbers: Sequence[int]
    word: str = "line"
    notes: Sequence[str] = ()
    licence: str = ""
    spans: Spans | None = None

    @cached_property
    def rows(self) -> dict[int, dict[str, str]]:
        """The cells of each row by column, by its number."""
        cells = zip(*self.columns.values(), strict=True)
        return {
            number: dict(zip(self.columns, row, strict=True))
            for number, row in zip(self.numbers, cells, strict=True)
        }


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


def scan_table(table: Table, language: str | None, root: Path, options: Mapping[str, str]) -> Scan:
    """The utterances of a table: `path` (below `root`) and `emotion`, one row each.

    Optional columns: `id` (else made of the path), `speaker`, `gender`, `language`; others are
    kept. What means "not known" (see `missing`) is blank. Option `emotions` declares further
    emotions and words, and words whose rows are left out: see `parse_declarations`.

    Raises:
        InputError: with the numbers of the rows where something is wrong.
    """
    given = options.get("emotions", "")
    findings = _Findings(notes=list(table.notes))
    emotions = _emotions(table.rows, given, findings)
    rows = {line: row for line, row in table.rows.items() if emotions[line] != LEFT_OUT}
    if not rows:
        raise InputError(f"{table.where}: emotions={given} leaves out all {len(table.rows)} rows")
    cells = _tidied(table.columns, rows, findings)
    paths = _paths(table, rows, root, findings)
    ids = _ids(table, rows, paths, findings)
    for line, row in cells.items():
        if problem := problem_with_gender(row.get("gender", "")):
            findings.wrong(line, problem)
    if findings.problems:
        # What was told of the table can be the reason, such as labels of other names.
        remedies = "\n".join([*findings.remedies, *(f"Note: {note}" for note in table.notes)])
        raise TableError(table.where, findings.problems, remedies, table.word)
    left = {emotions[line] for line in rows}
    if len(left) == 1 and len(rows) < len(table.rows):
        raise InputError(
            f"{table.where}: emotions={given} leaves out all rows but those of {left.pop()!r}: "
            "there is nothing left to tell apart"
        )
    codes = {line: row.pop("language", "") for line, row in cells.items()}
    name = PurePath(table.where).name
    entries = [
        Entry(
            id=ids[line],
            path=paths[line],
            emotion=emotions[line],
            speaker=row.pop("speaker", ""),
            gender=row.pop("gender", ""),
            extra=row,
            where=f"{name}, {table.word} {line}",
        )
        for line, row in cells.items()
    ]
    spoken = _language(table, codes, language, findings)
    return Scan(entries, spoken, findings.notes, table.licence)


def _emotions(rows: _Rows, given: str, findings: _Findings) -> dict[int, str]:
    """The emotion of each line. Nothing is replaced or left out without a note."""
    declared = parse_declarations(given)
    emotions: dict[int, str] = {}
    refused: dict[str, None] = {}
    read: Counter[tuple[str, str]] = Counter()
    # Of a word that stands in many rows it is found out once.
    normal, meant_by = cache(normalise), cache(partial(read_emotion, declared=declared))
    for line, row in rows.items():
        word = normal(row["emotion"])
        try:
            emotions[line] = meant_by(word)
            read[word, emotions[line]] += 1
        except ValueError as error:
            emotions[line] = word or "missing"
            findings.wrong(line, str(error))
            refused[word] = None
    if refused:
        findings.remedies[remedy(list(refused), given)] = None
    for (word, meant), count in read.items():
        if meant == LEFT_OUT:
            findings.notes.append(f"{count} rows were left out, whose emotion is {word!r}")
        elif word != meant and word not in EMOTIONS:
            findings.notes.append(f"{word!r} was read as {meant!r} ({count} rows)")
    seen = {"", *(word for word, _ in read)}
    words = [normalise(item.partition("=")[0]) for item in given.split(",")]
    unseen = [w for w in words if w not in seen and not (is_missing(w) and LEFT_OUT in declared)]
    if unseen and not refused:
        findings.notes.append(f"no row has the emotion {listing(map(repr, unseen))} of --option")
    return emotions


def _tidied(columns: Iterable[str], rows: _Rows, findings: _Findings) -> dict[int, dict[str, str]]:
    """The cells of each line in one form; a name that is written in two ways is a problem."""
    cells: dict[int, dict[str, str]] = {line: {} for line in rows}
    for column in columns:
        if column in _APART:
            continue
        values, notes = tidy(column, [row[column] for row in rows.values()])
        if column == "gender":
            values = [_GENDERS.get(value.lower(), value.lower()) for value in values]
        if column == "language":
            values = list(map(language_tag, values))
        findings.notes += notes
        for row, value in zip(cells.values(), values, strict=True):
            row[column] = value
        lines = list(rows)
        for place, reason in spelt_twice(column, values) if is_group(column) else ():
            findings.wrong(lines[place], reason, REMEDY)
    return cells


def _paths(table: Table, rows: _Rows, root: Path, findings: _Findings) -> dict[int, str]:
    paths: dict[int, str] = {}
    outside: dict[int, str] = {}
    strange = unusual("path", [row["path"] for row in rows.values()])
    for line, row in rows.items():
        if row["path"] not in strange:
            paths[line] = row["path"]  # whether its file is there or not
            continue
        try:
            paths[line] = path_in_root(row["path"], root)
        except OutsideError:
            outside[line] = row["path"]
        except ValueError as error:
            findings.wrong(line, str(error))
    if outside:
        line, path = next(iter(outside.items()))
        one = len(outside) == 1
        count = "an absolute path does" if one else f"{len(outside)} absolute paths do"
        remedy = outside_root([row["path"] for row in rows.values()], root)
        raise InputError(
            f"{table.where}: {count} not lie in the corpus root {root}, such as {table.word} "
            f"{line}: the path {path!r}.\n{remedy}"
        )
    return paths


def _ids(
    table: Table, rows: _Rows, paths: Mapping[int, str], findings: _Findings
) -> dict[int, str]:
    """The id of each line: that of the table, else made of the path."""
    given = {line: plain(rows[line].get("id", "")) for line in paths}
    missing = {id for id in unusual("id", list(given.values())) if is_missing(id)}
    absent = {line: id for line, id in given.items() if id in missing}
    ids: dict[int, str] = {}
    for line, path in paths.items():
        name = id_from_path(path) if line in absent else given[line]
        if problem := problem_with_id(name):
            findings.wrong(line, problem)
        else:
            ids[line] = name
    lines = list(ids)
    for line, before in ((lines[place], lines[first]) for place, first in duplicates(ids.values())):
        holder = f"which {table.word} {before} has already"
        if line not in absent and ids[line] != ids[before]:
            reason = f"the ids {ids[line]!r} and {ids[before]!r}, of {table.word} {before}, differ"
            findings.wrong(line, f"{reason} in upper and lower case alone", _CASE)
        elif line not in absent:
            findings.wrong(line, f"duplicate id {ids[line]!r}, {holder}", _TWICE)
        else:
            reason = f"the path gives the id {ids[line]!r}, {holder}"
            findings.wrong(line, reason, _SAME if paths[before] == paths[line] else _ALIKE)
    if words := Counter(filter(None, absent.values())):
        told = listing(f"{word!r} ({count})" for word, count in words.items())
        findings.notes.append(f"id: made of the path where it is missing: {told}")
    return ids


_TWICE = "An id is of one utterance; without the column (--option id=) ids are made of the paths."
_SAME = "One path stands in several rows: delete all but one."
_CASE = "Ids name files, and some systems do not tell such names apart: rename one of each."
_ALIKE = "Different paths give one id: add a column 'id' with a name of its own for each utterance."


def _language(
    table: Table, codes: Mapping[int, str], given: str | None, findings: _Findings
) -> str:
    """The one language of a corpus: of its lines, or as it was given."""
    first: dict[str, int] = {}
    for line, code in codes.items():
        first.setdefault(code, line)
    spoken = [code for code in first if not is_missing(code)]
    absent = [code for code in first if code and is_missing(code)]
    if len(spoken) > 1:
        problems = [(first[code], f"language {code!r}") for code in spoken]
        remedy = "A corpus has one language: make one corpus of each."
        raise TableError(table.where, problems, remedy, table.word)
    if given and spoken and given != spoken[0]:
        raise InputError(f"{table.where} says language {spoken[0]!r}, but {given!r} was asked for")
    language = given or next(iter(spoken), "")
    if not language:
        hint = f" that says more than {listing(map(repr, absent))}" if absent else ""
        told = [note for note in table.notes if note.startswith("language: ")]
        told += filter(None, map(problem_with_language, absent[:1]))
        ask = "Give --language, such as --language pt, or a column 'language'"
        raise InputError("\n".join([f"which language is {table.where}? {ask}{hint}", *told]))
    if problem := problem_with_language(language):
        raise InputError(problem)
    if absent:
        findings.notes.append(f"language: {listing(map(repr, absent))} means 'not known'")
    return language
