"""Reading and writing CSV files, with the line number of every row and plain words for bad ones."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, did_you_mean, listing
from ..files import atomic_write, open_regular
from .text import alike, plain
from .text_files import check_kind, read_text, text_of

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 1000

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_HINT = re.compile(r'"?sep=(.)"?\r?\n?')  # a first line that tells Excel how columns are separated

_INDEX = re.compile(r"(unnamed: ?\d+(_level_\d+)?(\.\d+)?)?", re.IGNORECASE)
"""Names of a column that pandas or a spreadsheet added; the empty one is among them."""

_ANEW = "save it as 'CSV UTF-8 (comma delimited)'"

_LONGEST = 1 << 20
"""Characters of a header, or of a line that is streamed."""

_LONGEST_CELL = 100_000
"""Characters; a line that may have a longer one is read by Python's `csv`, which refuses it."""

_MOST_BLANK = 100
"""Lines among which a header that is streamed is looked for."""

Problems = Sequence[tuple[int, str]]  # the line or row, and what is wrong there
_Records = list[tuple[int, list[str]]]
"""The cells of records, with the number of the line where each begins."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file as it was read, blank lines left out.

    Attributes:
        columns: the cells of each, by its name.
        lines: the number of the line where each row begins (the file's first is 1).
    """

    columns: dict[str, list[str]]
    lines: Sequence[int]
    notes: list[str]

    @cached_property
    def rows(self) -> dict[int, dict[str, str]]:
        """The cells of each row by column, by the number of its line."""
        cells = zip(*self.columns.values(), strict=True)
        return {
            line: dict(zip(self.columns, row, strict=True))
            for line, row in zip(self.lines, cells, strict=True)
        }


class TableError(InputError):
    """What is wrong with the rows of a table, and what to do: each reason once, five at most.

    `problems` are the number of a row and the reason; `word` is what is counted.
    """

    def __init__(
        self, where: object, problems: Problems, remedy: str = "", word: str = "line"
    ) -> None:
        self.problems, self.remedy = problems, remedy
        places: dict[str, list[int]] = {}
        for place, reason in sorted(problems):
            places.setdefault(reason, []).append(place)
        lines = [
            f"  {word}{'s' if len(numbers) > 1 else ''} {listing(map(str, numbers))}: {reason}"
            for reason, numbers in places.items()
        ]
        more = f"  and {len(lines) - 5} more" if len(lines) > 5 else ""
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        told = (f"{where}: {count}", *lines[:5], more, remedy)
        super().__init__("\n".join(filter(None, told)))


def read_csv(
    path: Path | str,
    required: Sequence[str],
    known: Iterable[str] = (),
    verbatim: Iterable[str] = (),
    data: bytes | None = None,
    lacking: str = "",
) -> CsvFile:
    """Read a CSV file: UTF-8 (a byte order mark is fine), one header line; or one in gzip.

    Columns are separated by commas, or by semicolons or tabs where only so the required ones are
    there. Names of `required` and `known` columns are recognised in any case and Unicode form; all
    cells but those of `verbatim` columns are stripped of outer blanks. Empty columns without a
    name, and those that only number the rows, are left out.

    Args:
        data: the bytes of the file, where they are not to be read; `path` then only names it.
        lacking: what to do about a file that lacks one of the required columns.

    Raises:
        InputError: not readable, not UTF-8, a column missing, without name or named twice, a row
            with too few or too many cells; with the line number.
    """
    whole = read_text(Path(path), _ANEW) if data is None else text_of(path, data, _ANEW)
    text, line, separator = _opened(path, whole, required)
    table = _even_table(text, line, separator) or _uneven_table(path, text, line, separator)
    forms = {alike(name): name for name in (*required, *known)}
    columns = [forms.get(alike(name), plain(name)) for name in table.header]
    where = f"{path}, line {table.line}"
    _check_columns(where, columns[: _named(columns)], required, separator, lacking)
    if table.ragged:
        what = _SEPARATORS.get(separator, "separators")
        quote = f"A cell that holds one of the {what} must stand in double quotes."
        raise TableError(path, table.ragged, quote)
    notes: list[str] = []
    verbatim = {*verbatim}
    kept = {
        name: cells if name in verbatim else list(map(str.strip, cells))
        for place, (name, cells) in enumerate(zip(columns, table.cells, strict=True), 1)
        if is_kept(where, place, name, cells, notes)
    }
    return CsvFile(kept, table.lines, notes)


def stream_csv(
    path: Path, required: Sequence[str], known: Sequence[str] | None = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV file of any length a row at a time: the number of its line, and its cells of the
    `required` and `known` columns as they are written. Other columns are not looked at; with None
    for `known`, all are known but those that have no name of their own, or number the rows.

    Raises:
        InputError: as `read_csv`, but for what is wrong with other columns; when it is come to.
    """
    lines = _lines(path)
    start = list(islice(lines, _MOST_BLANK))
    _, line, separator = _opened(path, "".join(start), required)
    reader = csv.reader(chain(start[line - 1 :], lines), strict=True, delimiter=separator)
    columns: list[str] = []
    begins = line
    try:
        for record in reader:
            at, begins = begins, reader.line_num + line
            if not any(map(plain, record)):
                continue
            if not columns:
                forms = {alike(name): name for name in (*required, *(known or ()))}
                columns = [forms.get(alike(name), plain(name)) for name in record]
                _check_columns(f"{path}, line {at}", columns, required, separator)
                taken = {*forms.values()} if known is not None else {*columns}
                places = {
                    name: place
                    for place, name in enumerate(columns)
                    if name in taken and not _INDEX.fullmatch(name)
                }
            elif len(record) <= max(places.values()):
                raise InputError(
                    f"{path}, line {at}: {len(record)} cells, but the header has {len(columns)}"
                )
            else:
                yield at, {name: record[place] for name, place in places.items()}
    except (csv.Error, TypeError, ValueError) as error:
        raise InputError(f"{path}, line {begins}: this is no CSV: {error}") from None
    if not columns:
        raise InputError(f"{path} is empty; expected a header line and rows below it")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a text file, one at a time."""
    try:
        with open_regular(path) as file:
            start = file.read(4)
            file.seek(0)
            check_kind(path, start, _ANEW)
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            number = 0
            while line := text.readline(_LONGEST):
                number += 1
                if "\0" in line:
                    raise InputError(
                        f"{path}, line {number}: not a text file (it holds a zero byte)"
                    )
                if len(line) == _LONGEST:
                    raise InputError(f"{path}, line {number}: longer than {_LONGEST} characters")
                yield line
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}, after line {number}: not UTF-8; {_ANEW}") from None


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file whole or not at all: UTF-8, commas, LF, four decimals; in gzip if it is
    named so."""
    data = csv_text(table).encode()
    if path.suffix.lower() == ".gz":
        data = gzip.compress(data, mtime=0)
    atomic_write(path, lambda partial: partial.write_bytes(data))


def csv_text(table: pd.DataFrame) -> str:
    """What `write_csv` writes."""
    text: str = table.to_csv(index=False, lineterminator="\n", float_format="%.4f")
    return text


def _opened(path: Path | str, text: str, required: Sequence[str]) -> tuple[str, int, str]:
    """The text without Excel's first line, the number of its first line, and the separator: that
    with which the header has the required columns, else most columns."""
    if hint := _HINT.match(text):
        text = text[hint.end() :]
        _header(path, text, hint[1])
        return text, 2, hint[1]
    headers = {separator: _header(path, text, separator) for separator in _SEPARATORS}
    fitting = [one for one, names in headers.items() if {*map(alike, names)} >= {*required}]
    return text, 1, next(iter(fitting), max(headers, key=lambda one: len(headers[one])))


def _header(path: Path | str, text: str, separator: str) -> list[str]:
    """What stands in the header where that is the separator, if anything does."""
    try:
        start = io.StringIO(text[:_LONGEST], newline="")  # a copy, which takes as long as it is
        lines = csv.reader(start, strict=True, delimiter=separator)
        header = next((record for record in lines if any(map(plain, record))), [])
    except (csv.Error, TypeError, ValueError):
        return []  # what is wrong, reading all of it says
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{path}: has {len(header)} columns; there may be {MOST_COLUMNS}")
    return header


@dataclass(frozen=True)
class _Table:
    """A header and what is below it: the cells by column, and the numbers of all lines.

    `ragged` are rows that have too few cells or too many.
    """

    line: int
    header: list[str]
    lines: Sequence[int]
    cells: list[list[str]]
    ragged: Problems = ()


def _even_table(text: str, line: int, separator: str) -> _Table | None:
    """A table without quotes, blank lines and ragged rows, as `write_csv` mostly writes one; None
    for any other. Nothing is made for a row, of which there may be a million."""
    if '"' in text or "\r" in text:
        return None
    lines = text.removesuffix("\n").split("\n")
    width = lines[0].count(separator) + 1
    if any(each.count(separator) != width - 1 or len(each) > _LONGEST_CELL for each in lines):
        return None
    cells = separator.join(lines).split(separator)
    columns = [cells[place::width] for place in range(width)]
    if not all(map(plain, columns[0])):
        return None  # the line may be blank
    below = range(line + 1, line + len(lines))
    return _Table(line, [column.pop(0) for column in columns], below, columns)


def _uneven_table(path: Path | str, text: str, line: int, separator: str) -> _Table:
    """Any table."""
    records = _records(path, text, line, separator)
    if not records:
        raise InputError(f"{path} is empty; expected a header line and rows below it")
    (line, header), *body = records
    ragged = [
        (at, f"{len(cells)} cells, but the header has {len(header)}")
        for at, cells in body
        if len(cells) < _named(header) or any(map(plain, cells[len(header) :]))
    ]
    columns = [[cells[n] for _, cells in body if n < len(cells)] for n in range(len(header))]
    return _Table(line, header, [at for at, _ in body], columns, ragged)


def _named(header: Sequence[str]) -> int:
    """Columns up to the last that has a name."""
    return max((place for place, name in enumerate(header, 1) if plain(name)), default=0)


def _records(path: Path | str, text: str, line: int, separator: str) -> _Records:
    """All records that are not blank."""
    records: _Records = []
    start = line
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        for record in lines:
            if any(map(plain, record)):
                records.append((start, record))
            start = lines.line_num + line
    except (csv.Error, TypeError, ValueError) as error:  # the latter: no such separator can be
        raise InputError(f"{path}, line {start}: this is no CSV: {error}") from None
    return records


def _check_columns(
    where: str, columns: list[str], required: Sequence[str], separator: str, lacking: str = ""
) -> None:
    """Refuse a header that lacks required columns, or names one twice."""
    if missing := [name for name in required if name not in columns]:
        quoted = len(columns) == 1 and any(separator in columns[0] for separator in _SEPARATORS)
        parted = "" if separator == "," else f", separated by {_SEPARATORS.get(separator, '?')},"
        names = f"column{'s' if len(missing) > 1 else ''} {' and '.join(map(repr, missing))}"
        raise InputError(
            f"{where}: the {names} {'are' if len(missing) > 1 else 'is'} missing"
            f"{did_you_mean(missing[0], columns)}; the columns there{parted} are "
            + listing(map(repr, columns), 20)
            + ("; the whole line stands in quotes as one cell: save it anew" if quoted else "")
            + (f"\n{lacking}" if lacking else "")
        )
    for name, count in sorted(Counter(columns).items()):
        if name and count > 1:
            raise InputError(f"{where}: two columns are named {name!r}")


def is_kept(where: str, place: int, name: str, cells: list[str], notes: list[str]) -> bool:
    """Whether a column is one: not where it is empty or numbers the rows, and has no own name."""
    if not _INDEX.fullmatch(name):
        return True
    cells = list(map(plain, cells))
    if not any(cells):
        return False
    if len(set(cells)) == len(cells) and all(cell.isdecimal() for cell in cells):
        called = f" ({name!r})" if name else ""
        notes.append(f"column {place}{called} was left out: it numbers the rows")
        return False
    if not name:
        raise InputError(f"{where}: column {place} has no name")
    return True
