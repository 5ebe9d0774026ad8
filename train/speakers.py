"""What is heard of a speaker: statistics of a feature over his utterances. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .network.settings import NARROWEST

FloatArray = NDArray[np.floating]


class Heard(NamedTuple):
    """Statistics of one feature: S sets of them, and which one counts for every utterance.

    Attributes:
        rows: of every utterance, its set (n,).
        counts: utterances that a set was taken of (S,); 0: nothing is known of the speaker.
        moments: mean and standard deviation (S, 2, dim), float32.
    """

    rows: NDArray[np.int64]
    counts: NDArray[np.int64]
    moments: NDArray[np.float32]


def utterance_moments(utterances: Iterable[FloatArray]) -> NDArray[np.float64]:
    """Means over time of a feature and of its square, (n, 2, dim).

    Args:
        utterances: of each the frames (T, dim), or its vector (dim,).
    """
    frames = (np.atleast_2d(values).astype(np.float64) for values in utterances)
    return np.stack([(each.mean(0), np.square(each).mean(0)) for each in frames])


def of_all(moments: NDArray[np.float64], speakers: Sequence[str]) -> Heard:
    """Statistics over all utterances of each speaker, every utterance counting alike.

    Args:
        moments: see `utterance_moments`.
        speakers: of every utterance; of a blank one nothing is known.
    """
    names, rows = np.unique(np.asarray(speakers, dtype=object), return_inverse=True)
    counts = np.bincount(rows, minlength=len(names))
    order = np.argsort(rows, kind="stable")
    own = np.split(order, np.cumsum(counts)[:-1])
    sums = np.stack([moments[chosen].sum(0) for chosen in own])
    counts[names == ""] = 0
    return Heard(rows, counts, mean_and_std(sums, counts))


def of_past(moments: NDArray[np.float64], speakers: Sequence[str], ids: Sequence[str]) -> Heard:
    """Statistics over what was heard of a speaker so far, for every utterance with itself.

    The order is that of SHA-256 of the ids: names of files follow emotions and sentences.

    Args:
        moments: see `utterance_moments`.
        speakers: of every utterance; of a blank one nothing is known.
    """
    order = sorted(range(len(ids)), key=lambda row: hashlib.sha256(ids[row].encode()).digest())
    return in_order(moments, speakers, order)


def in_order(moments: NDArray[np.float64], speakers: Sequence[str], order: Sequence[int]) -> Heard:
    """As `of_past`, the utterances heard in an order of their own."""
    sums, counts = np.zeros_like(moments), np.zeros(len(moments), dtype=np.int64)
    latest: dict[str, int] = {}
    for row in order:
        before = latest.get(speakers[row])
        sums[row] = moments[row] + (0 if before is None else sums[before])
        counts[row] = 1 + (0 if before is None else counts[before])
        latest[speakers[row]] = row
    counts[np.asarray(speakers, dtype=object) == ""] = 0
    return Heard(np.arange(len(moments)), counts, mean_and_std(sums, counts))


def mean_and_std(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean and standard deviation by the sums of moments of some utterances, (S, 2, dim) each.

    Args:
        sums: of `utterance_moments` over those of each set, (S, 2, dim).
        counts: how many they are, (S,).
    """
    mean, square = (sums / np.maximum(counts, 1)[:, None, None]).swapaxes(0, 1)
    std = np.sqrt(np.maximum(square - np.square(mean), 0))
    return np.stack([mean, std], axis=1).astype(np.float32)


def standardised(
    values: FloatArray, heard: Heard, mean: FloatArray, std: FloatArray, shrinkage: float
) -> NDArray[np.float64]:
    """A vector feature by what is known of each speaker, shrunk towards the training part.

    With w = n / (n + k), n the utterances heard of him and k the shrinkage:
    (x - w m - (1 - w) mean) / s, where s^2 = w v + (1 - w) std^2, m and v are his own mean and
    variance, and s is at least a tenth of std. `Standardise` does the same in a network.

    Args:
        values: (n, dim).
        mean, std: of the training part, (dim,).
    """
    counts = heard.counts[heard.rows, None].astype(np.float64)
    weight = counts / np.maximum(counts + shrinkage, 1e-9)
    own, deviation = heard.moments[heard.rows].astype(np.float64).swapaxes(0, 1)
    centre = weight * own + (1 - weight) * mean
    width = np.sqrt(weight * np.square(deviation) + (1 - weight) * np.square(std))
    return np.asarray((values - centre) / np.maximum(width, NARROWEST * std))
