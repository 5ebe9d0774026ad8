"""Writing one shard: a new file that appears whole or not at all, and never changes again."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files import atomic_write
from . import layout
from .access import write_error
from .keys import FeatureKey


def write_shard(
    folder: Path,
    key: FeatureKey,
    corpus: str,
    manifest_id: str,
    provenance: Mapping[str, str],
    ids: Sequence[str],
    audio_hashes: Sequence[str],
    rows: Sequence[npt.NDArray[np.floating[Any]]],
) -> Path:
    """Publish utterances as one immutable file and return its path.

    Equal content gives an equal file name, so that a second process that publishes the same
    utterances meanwhile does no harm.

    Args:
        folder: the feature folder of `key`; made where it is not there, or not any more.
        rows: one array (T, dim) of the key's dtype per utterance, T >= 1.

    Raises:
        SerError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    stored = np.dtype(key.dtype).newbyteorder("<")
    views = [
        np.ascontiguousarray(utterance, stored).reshape(-1).view(np.uint8).data
        for utterance in rows
    ]
    arrays = {
        "offsets": np.cumsum([0, *(len(array) for array in rows)], dtype="<i8"),
        "ids": np.array(ids, "S"),
        "audio_hashes": np.array(audio_hashes, "S"),
        "checksums": np.frombuffer(b"".join(map(layout.row_checksum, views)), np.uint8).reshape(
            -1, layout.CHECKSUM_BYTES
        ),
    }
    attributes = {
        "format": layout.FORMAT,
        "format_version": str(layout.VERSION),
        "feature_key": key.canonical,
        "manifest_id": manifest_id,
        "corpus": corpus,
        "provenance": json.dumps(dict(provenance), sort_keys=True),
    }
    attributes["index_checksum"] = layout.index_checksum(
        attributes, [array.tobytes() for array in arrays.values()]
    )
    shape = (int(arrays["offsets"][-1]), key.dim)
    head, tail = _around(shape, stored, arrays, attributes)
    parts: list[bytes | memoryview] = [head, *views, tail]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    target = folder / f"{corpus}-{digest.hexdigest()[:16]}.h5"

    def write(partial: Path) -> None:
        with partial.open("xb", buffering=layout.WRITE_BYTES) as file:
            file.writelines(parts)

    try:
        atomic_write(target, write)
    except OSError as error:
        # On Windows one cannot replace what a reader has open: the same shard.
        if not (isinstance(error, PermissionError) and target.exists()):
            raise write_error(folder, error) from error
    return target


def _around(
    shape: tuple[int, int],
    stored: np.dtype[Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    attributes: Mapping[str, str],
) -> tuple[bytes, bytes]:
    """The HDF5 before the rows of a shard and behind them; the completion mark is added.

    It is made in memory. When a disk is full, HDF5 may find out only when it closes the file, and
    then cannot close it.
    """
    import h5py

    memory = io.BytesIO()
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
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)  # it has a place before it has rows
        early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        frames = file.create_dataset("frames", shape, stored, dcpl=early).id
        start = frames.get_offset()
        stop = start + frames.get_storage_size()
    image = memory.getvalue()  # which ends before the rows where nothing is behind them
    return image[:start].ljust(start, b"\0"), image[stop:]
