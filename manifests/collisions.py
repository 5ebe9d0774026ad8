"""Which of very many fingerprints may be alike, without comparing each with each.

Locality-sensitive hashing. The products of neighbouring values, z[k] conj(z[k + 1]), hardly change
when a sound is shifted, and little when it is coded. The sides of random planes on which they lie
are bits that copies share in most places. Fingerprints that share all bits of one of many choices
are worth a comparison.

All sums are of small integers, which 32 bits of floating point add exactly: so that every machine
finds the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

BYTES = 128
"""Of the bits of a fingerprint."""

CHOICES, CHOSEN = 256, 3
"""How many times bytes are chosen, and how many: 24 bits, of which few of a million share all by
chance. Of copies as near as .2 none in 20 000 is missed, of those at .25 one in a thousand, of
those at .33, the farthest, one in 25."""

NEIGHBOURS = 16
"""Of those that share all bits, with how many of the next each is compared."""

_BLOCK = 4096


def colliding(values: npt.NDArray[np.complex64]) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs of fingerprints that may be alike, again and again those that are.

    Args:
        values: shape (fingerprints, values), whole numbers up to 15.

    Yields:
        Shape (pairs, 2): places in `values`, the smaller first.
    """
    planes, choices = _drawn(values.shape[1] - 1)
    sides = np.empty((BYTES, len(values)), np.uint8)
    for first in range(0, len(values), _BLOCK):
        block = values[first : first + _BLOCK]
        steps = block[:, :-1] * block[:, 1:].conj()
        above = np.hstack([steps.real, steps.imag]) @ planes > 0
        sides[:, first : first + _BLOCK] = np.packbits(above, axis=1).T
    places = np.arange(len(values), dtype=np.uint64)
    for choice in choices:
        keys = np.zeros_like(places)
        for side in sides[choice]:
            keys = keys << np.uint64(8) | side
        # Key and place in one number: sorting these is several times faster than an order of keys.
        keys = np.sort(keys << np.uint64(32) | places)
        order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        keys >>= np.uint64(32)
        left = np.arange(len(keys))
        for further in range(1, NEIGHBOURS + 1):
            left = left[left + further < len(keys)]
            left = left[keys[left] == keys[left + further]]
            if not len(left):
                break
            yield np.stack([order[left], order[left + further]], axis=1)


@cache
def _drawn(steps: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The planes, shape (2 steps, 8 BYTES), and the bytes of each choice; for good."""
    count = 2 * steps * 8 * BYTES
    drawn = np.frombuffer(hashlib.shake_256(b"ser planes").digest(count // 8), np.uint8)
    planes = np.unpackbits(drawn).reshape(2 * steps, -1).astype(np.float32) * 2 - 1
    shuffled = hashlib.shake_256(b"ser choices").digest(4 * CHOICES * BYTES)
    order = np.frombuffer(shuffled, "<u4").reshape(CHOICES, BYTES).argsort(axis=1, kind="stable")
    return planes, order[:, :CHOSEN]
