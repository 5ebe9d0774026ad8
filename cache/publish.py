"""Writing one shard: a new file that appears whole or not at all, and never changes again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SerError
from ..files import PARTIAL, make_folder, sync, sync_folder
from . import layout
from .frame import frame_file
from .keys import FeatureKey

WRITE_BYTES = 4 << 20
"""Written at once: what comes in large pieces Linux keeps in large pieces in memory, and maps
faster."""
TRIES = 100
"""How often a folder is made anew that other processes remove; the second time is nearly always
enough."""


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
    buffers = [np.ascontiguousarray(array, stored).reshape(-1).view(np.uint8) for array in rows]
    arrays = {
        "offsets": np.cumsum([0, *(len(array) for array in rows)], dtype="<i8"),
        "ids": np.array(ids, "S"),
        "audio_hashes": np.array(audio_hashes, "S"),
        "checksums": np.frombuffer(
            b"".join(layout.row_checksum(buffer.data) for buffer in buffers), np.uint8
        ).reshape(-1, layout.CHECKSUM_BYTES),
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
    head, tail = frame_file(key, int(arrays["offsets"][-1]), arrays, attributes)
    digest = hashlib.sha256(head)
    for buffer in buffers:
        digest.update(buffer.data)
    digest.update(tail)
    target = folder / f"{corpus}-{digest.hexdigest()[:16]}.h5"

    def write() -> None:
        partial = folder / f"{PARTIAL}{uuid.uuid4().hex}.h5"
        try:
            with partial.open("xb", buffering=WRITE_BYTES) as file:
                file.seek(len(head))
                for buffer in buffers:
                    file.write(buffer.data)
                file.write(tail)
                file.seek(0)
                file.write(head)  # last: without it there is no shard, finished or not
            sync(partial)
            try:
                partial.replace(target)
            except PermissionError:
                if not target.exists():  # on Windows: the same shard, and a reader has it open
                    raise
            sync_folder(folder)
        finally:
            _discard(partial)

    try:
        in_folder(folder, write)
    except OSError as error:
        raise write_error(folder, error) from error
    return target


def in_folder(folder: Path, do: Callable[[], None]) -> None:
    """Write in a folder, which is made where it is not there.

    Another process may remove the folder whenever nothing is in it: then it is made anew.

    Raises:
        OSError: it cannot be made or written.
    """
    for left in reversed(range(TRIES)):
        try:
            make_folder(folder)
            do()
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise
        else:
            return


def check_writable(folder: Path) -> None:
    """Create `folder` if need be, and prove that files can be written there.

    Raises:
        SerError: they cannot.
    """
    probe = folder / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        in_folder(folder, lambda: _write(probe))
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        _discard(probe)


def _write(probe: Path) -> None:
    probe.write_bytes(b"ser")  # some full disks still give empty files


def write_error(folder: Path, error: OSError) -> SerError:
    """One message for whatever the system said when a file could not be written."""
    if error.errno == errno.EFBIG:
        return SerError(
            f"{folder}: a file would be larger than this process may write (ulimit -f, or more "
            "than the disk's file system can hold). What was finished before is safe: raise the "
            "limit, or choose another cache with --cache, and run the same command again."
        )
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SerError(
            f"{folder}: no space left on the disk. What was finished before is safe: make room, "
            "or choose another cache with --cache, and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SerError(
            f"{folder}: the cache is read-only for you. Ask for write access, or choose another "
            "cache with --cache; copying this one there keeps what it holds."
        )
    return SerError(
        f"{folder}: cannot be written ({error.strerror or error}). "
        "Choose a cache folder with --cache or SER_CACHE."
    )


def _discard(partial: Path) -> None:
    # Else it is swept when it is a day old; the error that brought us here matters more.
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
