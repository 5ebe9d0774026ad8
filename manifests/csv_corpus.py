"""Anybody's corpus: a CSV with `path` and `emotion`, and whatever else is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from .corpora.corpus import Scan
from .csv_files import read_csv
from .tables import OPTIONAL, Table, scan_table


def scan_csv(file: Path, language: str | None, root: Path, options: Mapping[str, str]) -> Scan:
    """Read a corpus from a CSV file with the columns of a table: see `scan_table`.

    Raises:
        InputError: with the line numbers of what is wrong.
    """
    read = read_csv(file, ("path", "emotion"), OPTIONAL, verbatim=("path",))
    if not read.lines:
        raise InputError(f"{file} has a header but no utterances")
    table = Table(str(file), read.columns, read.lines, notes=read.notes)
    return scan_table(table, language, root, options)
