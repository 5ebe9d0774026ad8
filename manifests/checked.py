"""Manifests of many utterances that were read and checked before, on this machine.

A million rows take some 15 seconds to check, and what was checked takes one to read.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..remembered import Remembered

if TYPE_CHECKING:
    import pandas as pd

LARGE = 4 << 20
"""Bytes of a file from which on it is worth it: those of about 25 000 utterances."""

_FORMAT = 1
"""To be raised whenever a manifest is checked or tidied in another way."""

_MOST_FILES = 20

_NOTES = b"ser notes"


def recall(data: bytes) -> tuple[pd.DataFrame, tuple[str, ...]] | None:
    """The table that the bytes of a manifest file were found to hold, and the notes of
    `Manifest`; None where they were not checked before, or are few."""
    if (found := _recalled(data, None)) is None:
        return None
    return found.to_pandas(), tuple(json.loads(found.schema.metadata[_NOTES]))


def recall_columns(data: bytes, names: Sequence[str]) -> dict[str, list[Any]] | None:
    """The same of some columns alone, which takes less time."""
    if (found := _recalled(data, names)) is None:
        return None
    return {name: found[name].to_numpy().tolist() for name in names}


def _recalled(data: bytes, names: Sequence[str] | None) -> Any:
    """A pyarrow.Table of all columns, or of some; or None."""
    if not _is_worth_it(data):
        return None
    import pyarrow as pa

    content = _files().read(_name(data))
    if content is None:
        return None
    try:
        with pa.ipc.open_stream(content) as stream:
            places = names and [stream.schema.get_field_index(name) for name in names]
        options = pa.ipc.IpcReadOptions(included_fields=places)
        with pa.ipc.open_stream(content, options=options) as stream:
            return stream.read_all()
    except (pa.ArrowException, ValueError):
        return None


def remember(data: bytes, table: pd.DataFrame, notes: tuple[str, ...]) -> None:
    """Remember what the bytes of a manifest file were found to hold, where it is worth it."""
    if not _is_worth_it(data):
        return
    import pyarrow as pa

    try:
        content = pa.Table.from_pandas(table, preserve_index=False)
    except pa.ArrowException:
        return
    about = {**(content.schema.metadata or {}), _NOTES: json.dumps(notes).encode()}
    content, file = content.replace_schema_metadata(about), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if pa.Codec.is_available("zstd") else None)
    with pa.ipc.new_stream(file, content.schema, options=options) as stream:
        stream.write_table(content)
    _files().write(_name(data), file.getvalue())


def _is_worth_it(data: bytes) -> bool:
    return len(data) >= LARGE and find_spec("pyarrow") is not None


def _files() -> Remembered:
    return Remembered.of_user("ser-manifests", ".arrow", _MOST_FILES)


def _name(data: bytes) -> str:
    """Of the file of what these bytes hold."""
    from .. import __version__

    checked_by = f"{_FORMAT} {__version__}".encode()
    return hashlib.sha256(checked_by + hashlib.sha256(data).digest()).hexdigest()[:32]
