"""Functionals: a sequence feature as one vector per utterance, time taken out of it.

Imports no torch. Each utterance is summarised alone and in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.1, 0.5, 0.9)
STRETCHES = 3

Frames = NDArray[np.floating[Any]]
"""A sequence, (T, D)."""

Summary = Callable[[Frames], Frames]
"""Of a sequence (T, D) a vector (d,)."""


def functionals(frames: Frames) -> NDArray[np.float32]:
    """What is said of a sequence: (T, D) -> (9 D,).

    Mean and standard deviation, root mean square of the differences between frames, 10th, 50th and
    90th percentile (with linear interpolation between frames), and the means of the first, second
    and last third, whose lengths differ by one at most, longer ones first. A sequence of fewer than
    three frames is taken as if every frame were there three times.
    """
    if len(frames) < STRETCHES:
        frames = np.repeat(frames, STRETCHES, axis=0)
    ranked = np.sort(np.ascontiguousarray(frames.T), axis=1)  # several times faster than by columns
    frames = frames.astype(np.float64)
    change = np.sqrt(np.square(np.diff(frames, axis=0)).mean(0))
    place = np.multiply(PERCENTILES, len(frames) - 1)
    below, above = np.floor(place).astype(int), np.ceil(place).astype(int)
    low, high = ranked[:, below].astype(np.float64), ranked[:, above]
    percentiles = (low + (place - below) * (high - low)).T
    thirds = [stretch.mean(0) for stretch in np.array_split(frames, STRETCHES)]
    parts = [frames.mean(0), frames.std(0), change, *percentiles, *thirds]
    return np.concatenate(parts).astype(np.float32)


def pooled(frames: Frames) -> NDArray[np.float64]:
    """Mean and standard deviation over time: (T, D) -> (2 D,)."""
    return np.concatenate([frames.mean(0, dtype=np.float64), frames.std(0, dtype=np.float64)])


def mean(frames: Frames) -> NDArray[np.float64]:
    """The mean over time: (T, D) -> (D,)."""
    return np.asarray(frames.mean(0, dtype=np.float64))


VECTORS: Mapping[str, Summary] = {"functionals": functionals, "pooled": pooled, "mean": mean}
"""What makes a vector of a sequence, by the names of `SUMMARIES`."""


def vectors(sequences: Iterable[Frames], summary: str) -> Frames:
    """A vector of every sequence, (n, d)."""
    return np.stack([VECTORS[summary](frames) for frames in sequences])
