"""Where texts are among others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


def find(
    wanted: Sequence[str], among: Sequence[str], key: Callable[[str], int] = hash
) -> npt.NDArray[np.int64]:
    """The first place of every text among others, -1 where it is none of them.

    By sorted hashes: a dictionary of a million texts waits for memory most of the time.

    >>> find(["b", "x", "a"], ["a", "b", "a"]).tolist()
    [1, -1, 0]
    """
    if not among:
        return np.full(len(wanted), -1)
    ours, theirs = (np.fromiter(map(key, texts), np.int64, len(texts)) for texts in (wanted, among))
    order, asked = np.argsort(theirs, kind="stable"), np.argsort(ours)
    at = np.searchsorted(theirs[order], ours[asked])
    places = np.empty(len(wanted), np.int64)
    places[asked] = order[np.minimum(at, len(among) - 1)]
    places[theirs[places] != ours] = -1
    pairs = zip(wanted, places.tolist(), strict=True)
    for number in [n for n, (text, at) in enumerate(pairs) if at >= 0 and among[at] != text]:
        found = (place for place, text in enumerate(among) if text == wanted[number])
        places[number] = next(found, -1)  # another had the same hash
    return places
