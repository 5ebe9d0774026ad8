"""Loading many utterances out of many shards into one packed array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .keys import FeatureKey
from .shard import ShardIndex, read_rows

JOB_BYTES = 8 << 20
THREADS = min(4, os.cpu_count() or 1)  # more do not make memory faster


@dataclass(frozen=True, eq=False)
class Features:
    """One feature of many utterances, packed.

    Attributes:
        key: what the rows are.
        ids: the n utterances, in the order of the manifest.
        frames: (sum T, dim), float32 or float16 as the key says; writable, and the caller's own.
        offsets: int64, (n + 1); utterance i is `frames[offsets[i]:offsets[i + 1]]`.
    """

    key: FeatureKey
    ids: tuple[str, ...]
    frames: npt.NDArray[np.floating[Any]]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> npt.NDArray[np.floating[Any]]:
        """The rows of the utterance at `index`, (T, dim): a view."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.frames[self.offsets[index] : self.offsets[index + 1]]


def load(
    key: FeatureKey,
    ids: Sequence[str],
    shards: Sequence[ShardIndex],
    places: Sequence[tuple[int, int]],
) -> Features:
    """Copy the rows of utterances out of their shards, checking each.

    Args:
        places: for each id, which of `shards` and which utterance in it.

    Raises:
        CorruptShardError: an utterance's bytes are not those that were written.
    """
    stored = np.dtype(key.dtype).newbyteorder("<")
    bounds = [shard.bounds for shard in shards]
    starts = np.zeros(len(places) + 1, np.int64)
    np.cumsum([bounds[n][row + 1] - bounds[n][row] for n, row in places], out=starts[1:])
    offsets = starts // (key.dim * stored.itemsize)
    frames = np.empty((int(offsets[-1]), key.dim), stored)
    wanted: list[list[tuple[int, int]]] = [[] for _ in shards]
    for (number, row), start in zip(places, starts[:-1].tolist(), strict=True):
        wanted[number].append((row, start))
    _copy(shards, wanted, frames.reshape(-1).view(np.uint8).data)
    return Features(key, tuple(ids), frames.astype(key.dtype, copy=False), offsets)


def _copy(
    shards: Sequence[ShardIndex], wanted: Sequence[list[tuple[int, int]]], out: memoryview
) -> None:
    """Copy and check the rows of all shards, large loads on a few threads.

    Reading and hashing both let go of the interpreter, so that threads do work side by side.
    """
    jobs: list[tuple[ShardIndex, list[tuple[int, int]]]] = []
    for index, pairs in zip(shards, wanted, strict=True):
        pairs.sort()
        size, begin = 0, 0
        for end, (row, _) in enumerate(pairs, 1):
            size += index.bounds[row + 1] - index.bounds[row]
            if size >= JOB_BYTES or end == len(pairs):
                jobs.append((index, pairs[begin:end]))
                size, begin = 0, end
    if len(out) <= JOB_BYTES or THREADS == 1:
        for index, pairs in jobs:
            read_rows(index, pairs, out)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        # In order, so that of two damaged utterances the same one is reported each time.
        for _ in pool.map(lambda job: read_rows(job[0], job[1], out), jobs):
            pass
