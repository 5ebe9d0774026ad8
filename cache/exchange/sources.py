"""What features can come in: the kinds of files, told by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ...errors import InputError
from .arrays import Item
from .hdf5_files import hdf5_file
from .lhotse_files import lhotse_manifest
from .npy_files import npy_folder
from .npz_files import npz_file
from .parquet_files import parquet_file
from .tables import csv_table

Source = Callable[[], Iterator[Item]]
"""Gives the utterances of a source, from the first on each time it is called."""

_KINDS: dict[str, Callable[[Path], Iterator[Item]]] = {
    ".npz": npz_file,
    ".h5": hdf5_file,
    ".hdf5": hdf5_file,
    ".csv": csv_table,
    ".jsonl": lhotse_manifest,
    ".jsonl.gz": lhotse_manifest,
}
_PARQUET = (".parquet", ".pq")
_PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")


def find_source(path: Path, column: str | None = None) -> Source:
    """What gives the utterances of a file or folder.

    Args:
        column: that of the lists, in a Parquet file with several.

    Raises:
        InputError: there is no such file, or none of that kind is read.
    """
    name = path.name.lower()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if column is not None and not name.endswith(_PARQUET):
        raise InputError(f"{path}: --column is for Parquet files")
    if path.is_dir():
        return partial(npy_folder, path)
    if name.endswith(_PARQUET):
        return partial(parquet_file, path, column)
    for suffix, read in _KINDS.items():
        if name.endswith(suffix):
            return partial(read, path)
    if name.endswith(_PICKLED):
        raise InputError(
            f"{path}: to read this would mean to run what is in it, and nothing is unpickled; save "
            "an .npz with an array of floats for each utterance"
        )
    raise InputError(
        f"{path}: expected a folder of .npy files, or a file that ends in "
        f"{', '.join((*_KINDS, *_PARQUET))}"
    )


def said_by_name(path: Path) -> str:
    """The name of a source without what says its kind: the same for all containers."""
    name = path.resolve().name
    for suffix in (*reversed(_KINDS), *_PARQUET):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name
