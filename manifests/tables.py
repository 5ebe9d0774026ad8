"""Reading and writing CSV files, with the line number of every row and plain words for bad ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import atomic_text
from .names import did_you_mean

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}


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

    def problem(self, found: Sequence[tuple[int, str]], remedy: str = "") -> InputError:
        """Make one error of problems `(line, text)`: the first five, and how many there are."""
        lines = [f"  line {line}: {text}" for line, text in sorted(found)[:5]]
        if len(found) > 5:
            lines.append(f"  and {len(found) - 5} more")
        count = "one problem" if len(found) == 1 else f"{len(found)} problems"
        return InputError(
            "\n".join([f"{self.file}: {count}", *lines, *([remedy] if remedy else [])])
        )


def read_table(file: Path, required: Iterable[str], known: Iterable[str] = ()) -> Table:
    """Read a CSV file: UTF-8 (a byte order mark is fine), commas, one header line.

    Names of `required` and `known` columns are recognised in any case; all cells and names are
    stripped of outer blanks.

    Raises:
        InputError: not readable, not UTF-8, other separators, a column missing or named twice, a
            row with too few or too many cells; with the line number.
    """
    lines = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    records: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for record in lines:
            if any(cell.strip() for cell in record):
                records.append((start, [cell.strip() for cell in record]))
            start = lines.line_num + 1
    except csv.Error as error:
        raise InputError(f"{file}, line {start}: this is no CSV: {error}") from None
    if not records:
        raise InputError(f"{file} is empty; expected a header line and one row per utterance")
    (_, header), *body = records
    required = tuple(required)
    columns = _columns(file, header, required, (*required, *known))
    table = Table(file, columns, [])
    ragged = [
        (line, f"{len(cells)} cells, but the header has {len(columns)}")
        for line, cells in body
        if len(cells) != len(columns)
    ]
    if ragged:
        raise table.problem(ragged, "A cell that holds a comma must stand in double quotes.")
    table.rows.extend(Row(line, dict(zip(columns, cells, strict=True))) for line, cells in body)
    return table


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
        if file.exists() and not file.is_file():
            raise InputError(f"{file} is not a regular file")
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file} is too large: more than {MOST_BYTES >> 20} MB")
        data = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file: {file}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{file} is UTF-16; save it as 'CSV UTF-8 (comma delimited)'")
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


def _columns(
    file: Path, header: list[str], required: tuple[str, ...], known: tuple[str, ...]
) -> tuple[str, ...]:
    if len(header) == 1 and len(required) > 1:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator in header[0]:
                raise InputError(
                    f"{file}: the columns are separated by {name}, as some spreadsheets do; "
                    "save it as 'CSV UTF-8 (comma delimited)', with commas"
                )
    columns = tuple(name.lower() if name.lower() in known else name for name in header)
    missing = [name for name in required if name not in columns]
    if missing:
        hints = "".join(did_you_mean(name, columns) for name in missing[:1])
        raise InputError(
            f"{file}, line 1: the column {' and the column '.join(map(repr, missing))} is missing"
            f"{hints}; the columns there are {', '.join(map(repr, columns))}"
        )
    if "" in columns:
        raise InputError(f"{file}, line 1: column {columns.index('') + 1} has no name")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"{file}, line 1: two columns are named {twice[0]!r}")
    return columns
