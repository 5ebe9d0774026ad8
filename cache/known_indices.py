"""Indices of shards that were read and checked before, on this machine.

HDF5 takes two milliseconds to open a shard, which thousands of them make felt. What decides whether
a shard may be removed, or is damaged, reads the shards themselves.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from msgspec import DecodeError, Struct, msgpack

from ..files import path_text
from ..remembered import Remembered
from .access import read_error
from .keys import FeatureKey
from .shard import ShardIndex, read_index

MANY = 100
"""Shards that had to be opened: from there on they are remembered."""

_FORMAT = 2
"""To be raised whenever `read_index` checks something else."""

Stamp = tuple[int, int, int]
Read = Callable[[Path, FeatureKey], ShardIndex | None]


class _Known(Struct, frozen=True, array_like=True):
    """A `ShardIndex` without path and key, and the size and times that its file had.

    Utterances are one text, a line each: a text of its own for each of a million takes a second.
    """

    stamp: Stamp
    corpus: str
    manifest_id: str
    provenance: dict[str, str]
    utterances: str
    bounds: bytes
    digests: bytes


@contextmanager
def known_indices(folders: Sequence[Path], key: FeatureKey, corpus: str) -> Iterator[Read]:
    """Give what reads indices as `read_index` does, but opens no shard that it knows.

    Args:
        folders: of the cache.
        key, corpus: whose shards will be read.
    """
    files = Remembered.of_user("ser-indices", ".msgpack", most_files=50)
    where = [str(_FORMAT), *map(os.path.realpath, folders), key.folder, corpus]
    file = hashlib.sha256("\0".join(where).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    known: dict[str, _Known] | None = None
    opened: dict[str, _Known] = {}

    def read(path: Path, key: FeatureKey) -> ShardIndex | None:
        nonlocal known
        if known is None:
            known = _decoded(files.read(file))
        name, stamp = path_text(path), _stamp(path)
        before = known.get(name)
        if before is not None and before.stamp == stamp:
            return _index(before, path, key)
        index = read_index(path, key)
        if index is not None:
            opened[name] = _of(index, stamp)
        return index

    yield read
    if known is not None and len(opened) >= MANY:
        still = {name: each for name, each in known.items() if os.path.lexists(name)}
        files.write(file, msgpack.encode(still | opened))


def _decoded(data: bytes | None) -> dict[str, _Known]:
    try:
        return msgpack.decode(data or b"\x80", type=dict[str, _Known])
    except DecodeError:
        return {}


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise read_error(path, error) from error
    return stamp_of(status)


def stamp_of(status: os.stat_result) -> Stamp:
    """By which a file is known that was not changed."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _of(index: ShardIndex, stamp: Stamp) -> _Known:
    return _Known(
        stamp,
        index.corpus,
        index.manifest_id,
        index.provenance,
        "\n".join(index.utterances),
        index.bounds.astype("<i8").tobytes(),
        index.digests,
    )


def _index(known: _Known, path: Path, key: FeatureKey) -> ShardIndex:
    return ShardIndex(
        path,
        key,
        known.corpus,
        known.manifest_id,
        known.provenance,
        known.utterances.split("\n") if known.utterances else [],
        np.frombuffer(known.bounds, "<i8").astype(np.int64),
        known.digests,
    )
