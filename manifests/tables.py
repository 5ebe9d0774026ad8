"""Reading and writing CSV files, with the line number of every row and plain words for bad ones."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..files import atomic_text, read_regular
from .names import did_you_mean, listing
from .text import alike, plain

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_HINT = re.compile(r'"?sep=(.)"?\r?\n?')
"""A first line that tells Excel how columns are separated."""

_INDEX = re.compile(r"(unnamed: ?\d+(_level_\d+)?(\.\d+)?)?", re.IGNORECASE)
"""Names of a column that pandas or a spreadsheet added; the empty one is among them."""

_BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}

Problems = Sequence[tuple[int, str]]
"""What is wrong where: a line or row, and the reason."""


@dataclass(frozen=True)
class Row:
    """One row of a CSV file: where it begins (1 is the file's first line), and its cells."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A CSV file as it was read: its columns and its rows, blank lines left out."""

    file: Path
    columns: tuple[str, ...]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)

    def problem(self, found: Problems, remedy: str = "") -> InputError:
        """Make one error of problems `(line, text)`: five at most, and how many there are."""
        count = "one problem" if len(found) == 1 else f"{len(found)} problems"
        lines = [f"  {line}" for line in summary(found, "line")]
        return InputError(
            "\n".join([f"{self.file}: {count}", *lines, *([remedy] if remedy else [])])
        )


def summary(found: Problems, word: str) -> list[str]:
    """Tell each reason once, with the lines (or whatever `word` says) that it holds for."""
    places: dict[str, list[int]] = {}
    for place, reason in sorted(found):
        places.setdefault(reason, []).append(place)
    told = [
        f"{word}{'s' if len(numbers) > 1 else ''} {listing(map(str, numbers))}: {reason}"
        for reason, numbers in places.items()
    ]
    return told if len(told) <= 5 else [*told[:5], f"and {len(told) - 5} more"]


def read_table(
    file: Path, required: Iterable[str], known: Iterable[str] = (), verbatim: Iterable[str] = ()
) -> Table:
    """Read a CSV file: UTF-8 (a byte order mark is fine), one header line.

    Columns are separated by commas, or by semicolons or tabs where only so the required ones are
    there. Names of `required` and `known` columns are recognised in any case and Unicode form; all
    cells but those of `verbatim` columns are stripped of outer blanks. Empty columns without a
    name, and those that only number the rows, are left out.

    Raises:
        InputError: not readable, not UTF-8, a column missing, without name or named twice, a row
            with too few or too many cells; with the line number.
    """
    required = tuple(required)
    text, line, separator = _opened(_text(file), required)
    records = _records(file, text, line, separator)
    if not records:
        raise InputError(f"{file} is empty; expected a header line and one row per utterance")
    (line, header), *body = records
    table = Table(file, _columns(file, line, header, separator, (required, tuple(known))), [])
    ragged = [
        (at, f"{len(cells)} cells, but the header has {len(header)}")
        for at, cells in body
        if len(cells) < len(table.columns) or any(map(plain, cells[len(header) :]))
    ]
    if ragged:
        raise table.problem(
            ragged,
            f"A cell that holds one of the {_SEPARATORS.get(separator, 'separators')} "
            "must stand in double quotes.",
        )
    kept = _kept(table, line, header, body)
    exact = set(verbatim)
    table.rows.extend(
        Row(
            at,
            {
                name: cells[place] if name in exact else cells[place].strip()
                for place, name in kept.items()
            },
        )
        for at, cells in body
    )
    return Table(file, tuple(kept.values()), table.rows, table.notes)


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file whole or not at all: UTF-8, commas, LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    atomic_text(file, text.getvalue())


MOST_BYTES = 256 << 20
"""A manifest of a million utterances has less."""


def _text(file: Path) -> str:
    try:
        data = read_regular(file, MOST_BYTES)
    except FileNotFoundError:
        raise InputError(f"no such file: {file}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    for start, kind in _BINARY.items():
        if data.startswith(start):
            raise InputError(f"{file} is {kind}; save it as 'CSV UTF-8 (comma delimited)'")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file}, line {line}: not UTF-8; save it as 'CSV UTF-8 (comma delimited)'"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{file}, line {line}: not a text file (it holds a zero byte)")
    return text


def _opened(text: str, required: Sequence[str]) -> tuple[str, int, str]:
    """The text without Excel's first line, the number of its first line, and the separator.

    The separator is that with which the header has the required columns, else most columns.
    """
    hint = _HINT.match(text)
    if hint:
        return text[hint.end() :], 2, hint[1]
    headers = {separator: _header(text, separator) for separator in _SEPARATORS}
    fitting = (
        separator
        for separator, names in headers.items()
        if set(map(alike, names)).issuperset(required)
    )
    widest = max(headers, key=lambda separator: len(headers[separator]))
    return text, 1, next(fitting, widest)


def _header(text: str, separator: str) -> list[str]:
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        return next((record for record in lines if any(map(plain, record))), [])
    except csv.Error:
        return []


def _records(file: Path, text: str, line: int, separator: str) -> list[tuple[int, list[str]]]:
    """All records that are not blank, with the number of the line where each begins."""
    found: list[tuple[int, list[str]]] = []
    first = start = line
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        for record in lines:
            if any(map(plain, record)):
                found.append((start, record))
            start = lines.line_num + first
    except (csv.Error, TypeError, ValueError) as error:  # the latter: no such separator can be
        raise InputError(f"{file}, line {start}: this is no CSV: {error}") from None
    return found


def _columns(
    file: Path,
    line: int,
    header: list[str],
    separator: str,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> tuple[str, ...]:
    """The names of the columns, without empty ones at the end; required ones must be there."""
    required = names[0]
    known = {alike(name): name for each in names for name in each}
    columns = [known.get(alike(name), plain(name)) for name in header]
    while columns and not columns[-1]:
        columns.pop()
    missing = [name for name in required if name not in columns]
    if missing:
        hints = "".join(did_you_mean(name, columns) for name in missing[:1])
        quoted = len(columns) == 1 and any(each in columns[0] for each in _SEPARATORS)
        parted = "" if separator == "," else f", separated by {_SEPARATORS.get(separator, '?')},"
        raise InputError(
            f"{file}, line {line}: the column {' and the column '.join(map(repr, missing))} is "
            f"missing{hints}; the columns there{parted} are {listing(map(repr, columns), 20)}"
            + ("; the whole line stands in quotes as one cell: save it anew" if quoted else "")
        )
    twice = sorted(name for name, count in Counter(columns).items() if name and count > 1)
    if twice:
        raise InputError(f"{file}, line {line}: two columns are named {twice[0]!r}")
    return tuple(columns)


def _kept(
    table: Table, line: int, header: list[str], body: list[tuple[int, list[str]]]
) -> dict[int, str]:
    """The columns to keep, by place: not those that are empty or number the rows, and unnamed."""
    kept: dict[int, str] = {}
    for place in range(len(header)):
        name = table.columns[place] if place < len(table.columns) else ""
        if not _INDEX.fullmatch(name):
            kept[place] = name
            continue
        cells = [plain(cells[place]) for _, cells in body if place < len(cells)]
        if not any(cells):
            continue
        if len(set(cells)) == len(cells) and all(cell.isdecimal() for cell in cells):
            called = f" ({name!r})" if name else ""
            table.notes.append(f"column {place + 1}{called} was left out: it numbers the rows")
        elif name:
            kept[place] = name
        else:
            raise InputError(f"{table.file}, line {line}: column {place + 1} has no name")
    return kept
