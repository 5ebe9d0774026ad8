"""Drawing by hashes: chance that is the same on every machine, whatever the order of rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

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
    return [units[audio] for audio in sorted(units, key=lambda audio: rank(seed, audio))]


def take(queue: Sequence[list[str]], count: int) -> tuple[list[str], list[list[str]]]:
    """Take units in order until they hold `count` utterances; pass by what is too large."""
    taken: list[str] = []
    left: list[list[str]] = []
    for unit in queue:
        if len(taken) + len(unit) <= count:
            taken += unit
        else:
            left.append(unit)
    return taken, left
