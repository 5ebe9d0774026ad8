"""The HDF5 around the rows of a shard, made in memory.

HDF5 never writes to a disk here: when a disk is full it may find out only when it closes the file,
and then cannot close it. So it writes into memory, all but the rows, and the rows and what it
wrote go to the disk by plain writes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import layout
from .keys import FeatureKey


def frame_file(
    key: FeatureKey,
    rows: int,
    arrays: Mapping[str, npt.NDArray[Any]],
    attributes: Mapping[str, str],
) -> tuple[bytes, bytes]:
    """Make all bytes of a shard except its rows: what stands before them, and what behind.

    Args:
        rows: how many rows of `key.dim` there will be.
        arrays: the datasets except frames.
        attributes: texts, `format_version` in decimal; the completion mark is added.
    """
    import h5py

    memory = _Memory()
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, memory)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # HDF5 1.8's file format: every reader knows it, and its metadata carry checksums.
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    access.set_alignment(1, layout.ALIGNMENT)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # equal content gives equal bytes, today and tomorrow
    with h5py.File(h5py.h5f.create(b"shard", h5py.h5f.ACC_TRUNC, creation, access)) as file:
        for name in layout.DATASETS[1:]:
            file.create_dataset(name, data=arrays[name])
        for name, text in attributes.items():
            value = np.uint32(text) if name == "format_version" else np.bytes_(text.encode("ascii"))
            file.attrs[name] = value
        file.attrs["complete"] = np.uint32(1)
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_obj_track_times(False)
        plan.set_layout(h5py.h5d.CONTIGUOUS)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)  # it has a place before it has rows
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        kind = h5py.h5t.IEEE_F32LE if key.dtype == "float32" else h5py.h5t.IEEE_F16LE
        space = h5py.h5s.create_simple((rows, key.dim))
        frames = h5py.h5d.create(file["/"].id, b"frames", kind, space, plan)
        start = int(frames.get_offset())
        memory.leave_out(start, rows * key.dim * np.dtype(key.dtype).itemsize)
    image = memory.getvalue()
    return image[:start], image[start:]


class _Memory(io.BytesIO):
    """A file in memory in which one stretch takes no room. Nobody reads or writes there."""

    def __init__(self) -> None:
        super().__init__()
        self._start = 0
        self._length = 0

    def leave_out(self, start: int, length: int) -> None:
        self._start, self._length = start, length

    def seek(self, offset: int, whence: int = 0, /) -> int:
        at = super().seek(self._inner(offset) if whence == 0 else offset, whence)
        return at + self._length if at > self._start else at

    def truncate(self, size: int | None = None, /) -> int:
        # Unlike BytesIO's, this one extends the file too, as that of a file on a disk does.
        end = self._inner(size if size is not None else super().tell())
        super().truncate(end)
        at = super().seek(0, 2)
        self.write(bytes(end - at))
        return end

    def _inner(self, offset: int) -> int:
        return offset - self._length if offset >= self._start + self._length else offset
