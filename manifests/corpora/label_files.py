"""Corpora whose publishers ship tables of labels beside the audio."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ...errors import InputError, listing
from ...files import read_regular
from ..paths import AUDIO_SUFFIXES, DEEPEST, audio_files, is_audio, stored_path
from ..spellings import spelling
from .corpus import Entry, Options, Scan, Scanner

MOST_BYTES = 256 << 20
"""Of one table."""

Row = Mapping[str, str]
ReadRow = Callable[[Row, str], Entry | None]


def by_label_files(
    tables: tuple[str, ...],
    columns: tuple[str, ...],
    read: ReadRow,
    suffixes: Set[str] = AUDIO_SUFFIXES,
    separator: str = ",",
) -> Scanner:
    """Make a scanner that reads tables with a row for every utterance.

    An utterance whose audio is not there keeps its entry, to be reported as missing.

    Args:
        tables: names of the files of labels, wherever they lie; those that are there are read.
        columns: those that `read` needs.
        read: makes the entry of a row and the name of its table, with the end of the path of its
            audio, without suffix; None leaves the row out.
        suffixes: in lower case, of the audio that the publisher ships.
        separator: between cells.
    """

    def scan(root: Path, options: Options) -> Scan:
        entries: list[Entry] = []
        left_out = 0
        found = _tables(root, tables)
        audio = _by_ends(audio_files(root, DEEPEST, suffixes)) if found else {}
        for file in found:
            for line, row in read_rows(root / file, columns, separator):
                entry = read(row, Path(file).name)
                if entry is None:
                    left_out += 1
                    continue
                path = stored_path(audio.get(entry.path, f"{entry.path}.wav"))
                entries.append(replace(entry, path=path, where=f"{Path(file).name}, line {line}"))
        names = ", ".join(found)
        notes = [f"{left_out} utterances of {names} have no one emotion, and were left out"]
        return Scan(_one_spelling(entries), notes=notes if left_out else [])

    return scan


def _tables(root: Path, names: tuple[str, ...]) -> list[str]:
    """The tables by these names; of several of one name that which lies highest."""
    found: dict[str, str] = {}
    suffixes = {Path(name).suffix for name in names}
    for file in sorted(audio_files(root, DEEPEST, suffixes), key=lambda file: file.count("/")):
        if Path(file).name in names:
            found.setdefault(Path(file).name, file)
    return [found[name] for name in names if name in found]


def _by_ends(files: list[str]) -> dict[str, str]:
    """Files by their names without suffix, and with one folder before; the first of each counts,
    sound before video and what lies higher before what lies deeper."""
    ends: dict[str, str] = {}
    for file in sorted(files, key=lambda file: (not is_audio(file), file.count("/"))):
        path = PurePosixPath(file).with_suffix("")
        for end in (path.name, f"{path.parent.name}/{path.name}"):
            ends.setdefault(end, file)
    return ends


def read_rows(file: Path, columns: tuple[str, ...], separator: str = ",") -> list[tuple[int, Row]]:
    """The rows of a table, with the number of the line where each ends.

    Raises:
        InputError: it cannot be read, lacks one of the columns, or has a row that may be several: a
            double quote that stands open swallows lines up to the next one.
    """
    try:
        text = read_regular(file, MOST_BYTES).decode("utf-8-sig", "replace")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    # Where commas part nothing, no cell needs quotes, and one may begin with them: "No!" she said.
    strict = separator == ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)
    rows: list[tuple[int, Row]] = []
    begins = 1
    try:
        header = next(reader, [])
        _check_header(file, header, columns)
        needed = max(map(header.index, columns)) + 1
        begins = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):
                if problem := _problem_with_row(cells, len(header), needed, separator):
                    raise csv.Error(problem)
                rest = [""] * (len(header) - len(cells))
                rows.append((reader.line_num, dict(zip(header, cells + rest, strict=False))))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{file}, line {begins}: {error}. Perhaps a double quote stands open there; expected "
            "the table as its publisher ships it"
        ) from None
    return rows


def _check_header(file: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in header]:
        raise InputError(
            f"{file}: expected the columns {', '.join(columns)}; there is no {listing(missing)}, "
            "so this is another table than the publisher's"
        )


def _problem_with_row(cells: Sequence[str], width: int, needed: int, separator: str) -> str | None:
    """Say why the cells are not those of one row of so many columns; the last may be wanting, if
    they are not needed."""
    if len(cells) < needed or any(cells[width:]):
        return f"{len(cells)} cells, but the header has {width}"
    if any("\n" in cell and cell.count(separator) >= width - 1 for cell in cells):
        return "one cell holds several lines of the table"
    return None


def _one_spelling(entries: list[Entry]) -> list[Entry]:
    """Speakers whom a publisher writes in two ways are written as they are first."""
    first: dict[str, str] = {}
    return [
        replace(entry, speaker=first.setdefault(spelling(entry.speaker), entry.speaker))
        for entry in entries
    ]
