"""Features as one `.npz`: an array for each utterance, or packed as `ids`, `frames`, `offsets`.

An archive is read member by member and never unpacked: the names in it are names of utterances, not
of files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from ...errors import InputError
from ...files import open_regular
from ..layout import MAX_UTTERANCES
from .arrays import MOST_BYTES, Item, Rows, check_offsets, check_rising, check_shape, told
from .npy_files import check_end, read_header, read_npy, read_values

_PACKED = {"ids", "frames"}
_LONGEST_ID = 1024


def npz_file(path: Path) -> Iterator[Item]:
    """The utterances of an `.npz`: each array is one, by its name; or, where there are `ids` and
    `frames`, those of `ids`, whose rows follow one another in `frames` (N, dim), from one of
    `offsets` to the next, or a row each.

    Raises:
        InputError: it cannot be read, or its packing makes no sense.
    """
    with told("NPZ", path), open_regular(path) as file, ZipFile(file) as archive:
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        members = dict(zip(names, archive.infolist(), strict=True))
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise InputError(f"two arrays are named {twice[0]!r}")
        for info in members.values():
            if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & 1:
                raise InputError(f"{info.filename!r}: is not packed as numpy does it")
        if members.keys() >= _PACKED:
            yield from _packed(archive, members)
            return
        for name, info in members.items():
            yield name, partial(_one, archive, info)


def _one(archive: ZipFile, info: ZipInfo) -> Rows:
    with told("NPZ"), archive.open(info) as member:
        return read_npy(member)


def _packed(archive: ZipFile, members: dict[str, ZipInfo]) -> Iterator[Item]:
    with archive.open(members["ids"]) as member:
        ids = _ids(member)
    with archive.open(members["frames"]) as member:
        shape, fortran, dtype = read_header(member)
        if len(shape) != 2:
            raise InputError(f"frames: expected the shape (N, dim), got {shape}")
        if fortran:
            raise InputError("frames: is stored column by column; np.ascontiguousarray first")
        offsets = list(range(len(ids) + 1))
        if "offsets" in members:
            with archive.open(members["offsets"]) as places:
                offsets = _offsets(places, len(ids))
        check_rising(offsets, shape[0])
        for name, (start, stop) in zip(ids, pairwise(offsets), strict=True):
            extent = (stop - start, shape[1])
            check_shape(extent, dtype)
            yield name, partial(np.asarray, read_values(member, extent, dtype))
        check_end(member)


def _ids(file: IO[bytes]) -> list[str]:
    shape, _, dtype = read_header(file)
    if dtype.kind not in "US" or len(shape) != 1:
        raise InputError(f"ids: expected texts of one axis, got {dtype} of shape {shape}")
    if shape[0] > MAX_UTTERANCES or dtype.itemsize > 4 * _LONGEST_ID:
        raise InputError(f"ids: {shape[0]} texts of {dtype.itemsize} bytes are too many")
    if not shape[0] or not dtype.itemsize:
        raise InputError("ids: there are none")
    if shape[0] * dtype.itemsize > MOST_BYTES:
        raise InputError(f"ids: more than {MOST_BYTES >> 20} MB")
    texts = read_values(file, shape, dtype)
    check_end(file)
    return [_text(text) for text in texts.tolist()]


def _text(text: str | bytes) -> str:
    return text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text


def _offsets(file: IO[bytes], utterances: int) -> list[int]:
    shape, _, dtype = read_header(file)
    check_offsets(shape, dtype, utterances)
    places: list[int] = read_values(file, shape, dtype).tolist()
    return places
