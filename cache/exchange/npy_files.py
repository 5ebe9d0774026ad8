"""Features as `.npy`: a file for each utterance, in a folder. Nothing is unpickled."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ...errors import InputError
from ...files import open_regular
from .arrays import Item, Rows, check_shape

_MAGIC = b"\x93NUMPY"
_VERSIONS = {
    b"\x01\x00": (2, np.lib.format.read_array_header_1_0),
    b"\x02\x00": (4, np.lib.format.read_array_header_2_0),
}
"""Bytes of the number that says how long the header is, and what reads it from there on. Version 3
is for names of fields."""
_LONGEST_HEADER = 10_000
_SUFFIX = ".npy"
_DEPTH = 64


def npy_folder(folder: Path) -> Iterator[Item]:
    """A `.npy` for each utterance, anywhere below a folder; its name is that below the folder,
    without `.npy`.

    Raises:
        InputError: the folder cannot be read, or has no such file.
    """
    from ...manifests.paths import audio_files, stored_path

    names = audio_files(folder, _DEPTH, {_SUFFIX})
    if not names:
        raise InputError(f"{folder}: no .npy file in this folder")
    for name in names:
        yield stored_path(name)[: -len(_SUFFIX)], partial(_load, folder, name)


def _load(folder: Path, name: str) -> Rows:
    try:
        with open_regular(folder / name, below=folder) as file:
            return read_npy(file)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None


def read_npy(file: IO[bytes]) -> Rows:
    """The one array of floats in a stream of `.npy`.

    Raises:
        InputError: it is none, or too large for an utterance; without a name.
    """
    shape, fortran, dtype = read_header(file)
    check_shape(shape, dtype)
    rows = read_values(file, shape[::-1] if fortran else shape, dtype)
    check_end(file)
    return rows.T if fortran else rows


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first axis runs fastest, and type, as a stream of `.npy` declares them.

    Raises:
        InputError: it is none, or its values would have to be unpickled.
    """
    if file.read(len(_MAGIC)) != _MAGIC:
        raise InputError("is no .npy")
    try:
        width, parse = _VERSIONS[file.read(2)]
    except KeyError:
        raise InputError("is a .npy of a version that is not for plain numbers") from None
    digits = file.read(width)
    # Looked at first: numpy reads all of a header, however long it says it is.
    if (length := int.from_bytes(digits, "little")) > _LONGEST_HEADER:
        raise InputError(f"its header would be of {length} bytes")
    try:
        shape, fortran, dtype = parse(io.BytesIO(digits + file.read(length)))
    except Exception as error:  # numpy parses it as Python does, which raises nearly anything
        reason = str(error).partition("\n")[0]
        raise InputError(f"its header cannot be read: {reason:.200}") from None
    if dtype.hasobject:
        raise InputError("holds Python objects, which would have to be unpickled; save floats")
    if any(extent < 0 for extent in shape):
        raise InputError(f"its header says the shape {shape}")
    return shape, fortran, dtype


def read_values(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """So many values from a stream, whose size the caller has bounded."""
    size = prod(shape) * dtype.itemsize
    data = file.read(size)
    if len(data) < size:
        raise InputError("the file ends early")
    return np.frombuffer(data, dtype).reshape(shape)


def check_end(file: IO[bytes]) -> None:
    """Raise InputError where a stream goes on."""
    if file.read(1):
        raise InputError("holds more than one array")
