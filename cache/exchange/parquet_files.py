"""Features as Parquet, read: lists in a column, or a table with a column for every number."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, MissingPackageError, install_command
from ...files import open_regular
from .arrays import MOST_BYTES, Item, Rows, check_shape, told
from .tables import NAMES, Frame, by_name, feature_columns

_VALUES = 1 << 20
"""Of a table with a column for every number, read at once."""
_ROWS = 1024
"""Of such a table, read at once at most."""
_LONGEST_SCHEMA = 64 << 20


def pyarrow() -> Any:
    """The package that knows Parquet.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackageError(
            f"Parquet needs the package pyarrow: {install_command('exchange')}"
        ) from error
    return pyarrow


def parquet_file(path: Path, column: str | None = None) -> Iterator[Item]:
    """The utterances of a Parquet file, named by its column `file` or `id`.

    Either a column of lists is the feature, a list of floats for a vector, a list of lists for a
    sequence; or each column of floats is one of its numbers, see `tables.by_name`.

    Args:
        column: the column of lists, where there are several.

    Raises:
        MissingPackageError: pyarrow is not installed.
        InputError: it cannot be read, or is no such table.
    """
    pa = pyarrow()
    with told("Parquet", path), open_regular(path) as file:
        table = pa.parquet.ParquetFile(
            file,
            thrift_string_size_limit=_LONGEST_SCHEMA,
            thrift_container_size_limit=_LONGEST_SCHEMA,
            pre_buffer=False,
            buffer_size=1 << 20,
        )
        schema = table.schema_arrow
        if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
            raise InputError(f"two columns are named {twice[0]!r}")
        lists = [field.name for field in schema if _is_list(pa, _storage(pa, field.type))]
        if column is not None and column not in lists:
            raise InputError(f"no column {column!r} of lists; there: {', '.join(lists) or 'none'}")
        if column is None and len(lists) > 1:
            raise InputError(f"several columns of lists: {', '.join(lists)}. Name one: --column")
        if lists:
            _check_columns(pa, path, table)
            _check_sizes(table)
            yield from _lists(pa, path, table, column or lists[0])
        else:
            yield from by_name(path, _frames(pa, path, table))


def _storage(pa: Any, kind: Any) -> Any:
    """What a column is made of, whatever an extension calls it."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_list(pa: Any, kind: Any) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


class _ReadError(Exception):
    """Data would have been read."""


class _Withheld(io.RawIOBase):
    """A file of some size, of which nothing may be read."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        raise _ReadError


def _check_columns(pa: Any, path: Path, table: Any) -> None:
    """Refuse what says of its columns what cannot be.

    Asked for such a column's metadata, pyarrow ends the process; about to read it, it raises.
    """
    withheld = pa.parquet.ParquetFile(_Withheld(path.stat().st_size), metadata=table.metadata)
    for number in range(table.metadata.num_row_groups):
        with suppress(_ReadError):
            next(withheld.iter_batches(1, row_groups=[number], use_threads=False), None)


def _check_sizes(table: Any) -> None:
    """Refuse what says of itself that its rows are larger than those of utterances may be."""
    for number in range(table.metadata.num_row_groups):
        group = table.metadata.row_group(number)
        for place in range(group.num_columns):
            values = group.column(place).num_values
            if values * 2 > MOST_BYTES * max(1, group.num_rows):
                raise InputError(f"its rows are of more than {MOST_BYTES >> 20} MB")


def _lists(pa: Any, path: Path, table: Any, column: str) -> Iterator[Item]:
    name = _name_column(path, table)
    # One row at a time: each may be long.
    for batch in table.iter_batches(1, columns=[name, column], use_threads=False):
        values = batch.column(column)
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        yield str(batch.column(name)[0].as_py()), partial(_matrix, pa, values[0])


def _name_column(path: Path, table: Any) -> str:
    """The column that names utterances: of a table with lists, an id goes before a file."""
    for name in reversed(NAMES):
        if name in table.schema_arrow.names:
            return name
    raise InputError(f"{path}: no column {' or '.join(NAMES)}, which name utterances")


def _matrix(pa: Any, cell: Any) -> Rows:
    """(frames, dim) of a list of lists, (dim,) of a list of floats."""
    values = cell.values
    if values is None:
        raise InputError("is missing (null)")
    shape: tuple[int, ...] = (len(values),)
    if _is_list(pa, values.type):
        if values.null_count:
            raise InputError("a frame is missing (null)")
        widths = set(pa.compute.list_value_length(values).to_pylist()) or {0}
        if len(widths) > 1:
            raise InputError(f"its frames are of different lengths: {min(widths)}, {max(widths)}")
        shape = (len(values), *widths)
        values = values.flatten()
    if values.null_count:
        raise InputError("a value is missing (null)")
    if not pa.types.is_floating(values.type):
        raise InputError(f"expected lists of floats, or lists of these, got {cell.type}")
    rows = values.to_numpy(zero_copy_only=False)
    check_shape(shape, rows.dtype)
    return np.reshape(rows, shape)


def _frames(pa: Any, path: Path, table: Any) -> Iterator[Frame]:
    schema = table.schema_arrow
    name, features = feature_columns(path, schema.names)
    for feature in features:
        if not pa.types.is_floating(schema.field(feature).type):
            raise InputError(
                f"the column {feature!r} is {schema.field(feature).type}, not floats; remove it "
                "if it is no feature"
            )
    start = ["start"] if "start" in schema.names else []
    rows = min(_ROWS, max(1, _VALUES // len(features)))
    for batch in table.iter_batches(rows, columns=[name, *start, *features], use_threads=False):
        columns = [batch.column(each).to_numpy(zero_copy_only=False) for each in features]
        values = np.column_stack(columns)
        starts = _starts(pa, batch.column("start")) if start else [None] * len(batch)
        for row, of in enumerate(batch.column(name).to_pylist()):
            yield Frame(str(of), starts[row], values[row])


def _starts(pa: Any, column: Any) -> list[Any]:
    """Seconds, or text that says them."""
    if pa.types.is_duration(column.type):
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        whole = column.cast(pa.int64()).to_pylist()
        return [None if each is None else each / unit for each in whole]
    values: list[Any] = column.to_pylist()
    return values
