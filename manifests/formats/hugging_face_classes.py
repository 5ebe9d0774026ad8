"""Classes of data sets of Hugging Face: what is stored of one is a number, and each file has names
of its own for these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ...errors import InputError
from .hugging_face_columns import leaves
from .hugging_face_splits import data_files


def check_classes(datasets: Any, builder: Any, place: str) -> None:
    """Refuse files in which the number of a class has not one name: the library reads all by the
    names of its card, if that has any, else of the first file.

    Raises:
        InputError: so it is.
    """
    known: dict[str, tuple[str, Sequence[str]]] = {}

    def compare(where: str, features: Mapping[str, Any], remedy: str) -> None:
        for path, kind in leaves(features):
            column = ".".join(path)
            if not isinstance(kind, datasets.ClassLabel):
                continue
            first, names = known.setdefault(column, (where, kind.names))
            if names != kind.names:
                raise InputError(
                    f"{place}: the classes of {column} are {', '.join(names):.200} in {first}, and "
                    f"{', '.join(kind.names):.200} in {where}, by the same numbers. {remedy}ave it "
                    f'anew with text in place of classes: cast_column("{column}", Value("string"))'
                )

    for file in map(str, chain.from_iterable(data_files(builder).values())):
        if (schema := _schema(file)) is not None:
            features = datasets.Features.from_arrow_schema(schema)
            compare(Path(file).name, features, "S")
    if builder.info.features and known:
        compare("its card", builder.info.features, "Correct the card (README.md), or s")


def _schema(file: str) -> Any:
    """What a file of Parquet or Arrow says of its columns; None for others."""
    import fsspec
    import pyarrow
    from pyarrow.parquet import read_schema

    if file.endswith((".parquet", ".geoparquet", ".gpq")):
        with fsspec.open(file) as stream:
            return read_schema(stream)
    if file.endswith(".arrow"):
        with fsspec.open(file) as stream:
            try:
                return pyarrow.ipc.open_stream(stream).schema
            except (OSError, pyarrow.ArrowInvalid):  # the other of Arrow's two forms
                stream.seek(0)
                return pyarrow.ipc.open_file(stream).schema
    return None
