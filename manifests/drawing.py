"""Drawing by hashes: chance that is the same on every machine, whatever the order of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .manifest import Manifest


@dataclass(frozen=True)
class Drawn:
    """Utterances in an order drawn at random, in units that stay together.

    Attributes:
        rows: (n): places in a manifest, unit after unit.
        sizes: (units): how many rows each has.
    """

    rows: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def take(self, count: int) -> tuple[NDArray[np.int64], Drawn]:
        """Take units in order until they hold `count` utterances; pass by what is too large.

        Returns:
            The rows of what is taken, and what is left.
        """
        ends = np.cumsum(self.sizes)
        taken = ends <= count
        missing = count - int(ends[taken].max(initial=0))
        for place in np.flatnonzero(~taken & (self.sizes <= missing)).tolist():
            if self.sizes[place] <= missing:
                taken[place] = True
                missing -= int(self.sizes[place])
        chosen = np.repeat(taken, self.sizes)
        return self.rows[chosen], Drawn(self.rows[~chosen], self.sizes[~taken])


def rank(seed: int, name: str) -> bytes:
    """What names are sorted by to be in an order drawn at random."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def shuffled_recordings(
    manifest: Manifest, seed: int, rows: NDArray[np.int64] | None = None
) -> Drawn:
    """Utterances in an order drawn at random, those of one recording together.

    Args:
        rows: those that are wanted; None: all.
    """
    rows = np.arange(len(manifest)) if rows is None else rows
    _, first, unit = np.unique(
        manifest.recording_codes[rows], return_index=True, return_inverse=True
    )
    names = [manifest.recordings[row] for row in rows[first].tolist()]
    place = np.empty(len(names), np.int64)
    place[_order([rank(seed, name) for name in names])] = np.arange(len(names))
    return Drawn(rows[np.argsort(place[unit], kind="stable")], np.bincount(place[unit]))


def _order(ranks: Sequence[bytes]) -> NDArray[np.int64]:
    """What sorts ranks."""
    words = np.frombuffer(b"".join(ranks), ">u8").reshape(len(ranks), 4).astype(np.uint64)
    first = words[:, 0]
    order = np.argsort(first, kind="stable")
    if (first[order][1:] == first[order][:-1]).any():  # two in 2**64
        order = np.lexsort(words.T[::-1])
    return order
