"""Drawing by hashes: chance that is the same on every machine, whatever the order of rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from .manifest import Manifest


def rank(seed: int, name: str) -> bytes:
    """What names are sorted by to be in an order drawn at random."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def shuffled_recordings(
    manifest: Manifest, seed: int, ids: Iterable[str] | None = None
) -> list[list[str]]:
    """Utterances in an order drawn at random, those of one recording together.

    Args:
        ids: those that are wanted; None: all.
    """
    wanted = None if ids is None else set(ids)
    units: dict[str, list[str]] = defaultdict(list)
    for name, recording in zip(manifest.ids, manifest.recordings, strict=True):
        if wanted is None or name in wanted:
            units[recording].append(name)
    ranks = b"".join(rank(seed, recording) for recording in units)
    words = np.frombuffer(ranks, ">u8").reshape(len(units), -1)
    drawn, order = list(units.values()), np.lexsort(words.T[::-1])  # by the first word first
    return [drawn[place] for place in order.tolist()]


def take(queue: Sequence[list[str]], count: int) -> tuple[list[str], list[list[str]]]:
    """Take units in order until they hold `count` utterances; pass by what is too large."""
    taken: list[str] = []
    left: list[list[str]] = []
    for place, unit in enumerate(queue):
        if len(taken) == count:
            return taken, [*left, *queue[place:]]
        if len(taken) + len(unit) <= count:
            taken += unit
        else:
            left.append(unit)
    return taken, left
