"""Which files of a data set of Hugging Face are in none of its splits: the library makes splits of
names such as train and test, and passes over whatever has none of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from ...errors import InputError
from ..paths import suffix_of

_REMEDY = (
    "Splits are made of names such as train, dev and test, unless README.md, between lines of "
    '---, says what they have: configs: [{config_name: default, data_files: "**"}] is all in one'
)


_TABLES = {".csv", ".tsv", ".jsonl", ".parquet"}


def data_files(builder: Any) -> Mapping[str, list[Any]]:
    """The files that each split is made of."""
    return builder.config.data_files or {}


def left_out(datasets: Any, builder: Any, home: str, place: str) -> str:
    """Say which files are in no split, of the kinds that are read; blank where all are.

    Args:
        home: the address that those of all files begin with.

    Raises:
        InputError: what says the emotions of sound is among them.
    """
    files_by_split = data_files(builder)
    if not files_by_split or len(builder.builder_configs) > 1:
        return ""  # others may be of other configurations
    start = len(home) + 1
    read = {str(file)[start:] for file in chain.from_iterable(files_by_split.values())}
    tables = set(getattr(builder, "METADATA_FILENAMES", ()))  # of a folder of sound
    suffixes = set(getattr(builder, "EXTENSIONS", ())) or set(map(suffix_of, read))
    others = [name for name in _names(datasets, home) if name not in read]
    splits = f"none of its splits ({', '.join(map(str, files_by_split))})"
    table = next((name for name in others if PurePosixPath(name).name in tables), "")
    if table and not any(PurePosixPath(name).name in tables for name in read):
        raise InputError(f"{place}: {table} is in {splits}, and would not be read. {_REMEDY}")
    strange = [name for name in others if tables and suffix_of(name) in _TABLES]
    if strange and not any(PurePosixPath(name).name in tables for name in read):
        return (
            f"{strange[0]} was not read: in a folder of sound, the table is metadata.csv (or "
            ".jsonl, .parquet), with the column file_name; others are read with --csv"
        )
    files = [name for name in others if suffix_of(name) in suffixes]
    if not files:
        return ""
    count = len(files) + sum(suffix_of(name) in suffixes for name in read)
    return (
        f"{len(files)} of {count} files are in {splits}, and were left out, such as {files[0]}. "
        f"{_REMEDY}"
    )


def _names(datasets: Any, home: str) -> Iterable[str]:
    """The files below an address, without those that are hidden or of the library's own."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(home)
    for path in system.find(root):
        name = PurePosixPath(path[len(root) + 1 :])
        hidden = any(part.startswith((".", "__")) for part in name.parts)
        if not hidden and name.name not in datasets.data_files.FILES_TO_IGNORE:
            yield str(name)
