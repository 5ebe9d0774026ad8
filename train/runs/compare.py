"""Paired tests between two methods that were tested on the same utterances of the same splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics import error_over_repeats, error_over_units, half_width
from .results import LEAST_WIDTH

T = TypeVar("T")

DRAWS = 20_000
"""Random sign patterns of a permutation test; with fewer possible ones, each is taken once."""

AT_ONCE = 1_000
"""Patterns that are drawn at once: all of them would take gigabytes for thousands of units."""


@dataclass(frozen=True)
class Comparison:
    """How the UA of one method differs from that of another, both as fractions.

    Attributes:
        difference: of the means over repeats.
        ci95: of it; None where all units or repeats are alike.
        p_units: two-sided, from the permutation test over utterances or speakers.
        p_repeats: two-sided, from the t test over repeats; None where it cannot be made.
        units: how many utterances or speakers there are.
    """

    difference: float
    ci95: tuple[float, float] | None
    p_units: float
    p_repeats: float | None
    units: int


def compare(
    one: pd.DataFrame,
    other: pd.DataFrame,
    test_to_train: float,
    units: Mapping[tuple[str, str], str] | None = None,
) -> Comparison:
    """Compare two tables of predictions, as in `predictions.csv`, over all corpora in them.

    With several corpora, UA is its mean over them. What stands or falls together is one unit: an
    utterance in all repeats, or, where speakers are held out, a speaker with all utterances.

    - p_units: under the null hypothesis a unit's part of the difference could as well have the
      other sign. The signs of all units are drawn anew; p is the share of draws with as large a
      difference.
    - p_repeats: Student's t of the differences per repeat with the variance of Nadeau and Bengio
      (2003), as repeats share training utterances. Not where speakers are held out, as there every
      repeat tests all utterances, and not where the differences of all repeats are the same.
    - ci95: from the t test where there is one, else the jackknife over units.

    Args:
        one, other: with the columns corpus, repeat, id, truth, predicted; the same rows, in any
            order.
        test_to_train: size of the test part by that of the training part.
        units: (corpus, id) to the name of its unit; None: every utterance is one.
    """
    from scipy.special import stdtr

    key = ["corpus", "repeat", "id"]
    both = one.merge(other, on=[*key, "truth"], suffixes=("", "_other"), validate="one_to_one")
    if not len(one) == len(other) == len(both):
        raise ValueError("the two tables are not of the same test utterances")
    right = (both["predicted"] == both["truth"]).to_numpy(float)
    wrong = (both["predicted_other"] == both["truth"]).to_numpy(float)
    share = (right - wrong) * _weights(both)
    repeats = both["repeat"].nunique()
    difference = float(share.sum() / repeats)
    utterances = zip(both["corpus"], both["id"], strict=True)
    names = [units[corpus, id] if units else id for corpus, id in utterances]
    by_unit = pd.Series(share / repeats).groupby([both["corpus"].to_numpy(), names]).sum()
    p_units = flip_test(np.asarray(by_unit, dtype=np.float64))
    by_repeat = pd.Series(share).groupby(both["repeat"].to_numpy()).sum().tolist()
    error = error_over_repeats(by_repeat, test_to_train) if repeats > 1 else 0.0
    if units or error < 1e-12:
        half = _half_width(both.assign(gain=right - wrong, unit=names))
        p_repeats = None
    else:
        half = half_width(error, repeats - 1)
        p_repeats = float(2 * stdtr(repeats - 1, -abs(difference / error)))
    interval = (difference - half, difference + half) if half >= LEAST_WIDTH else None
    return Comparison(difference, interval, p_units, p_repeats, len(by_unit))


def _half_width(table: pd.DataFrame) -> float:
    """Of the 95 % interval of the difference: the jackknife over the units of every corpus, which
    have none in common and so are independent. The gain is -1, 0 or 1."""
    halves = []
    for _, corpus in table.groupby("corpus"):
        units = corpus["unit"].tolist()
        error = error_over_units(units, _mean_gain(corpus))
        halves.append(half_width(error, len(set(units)) - 1))
    return float(np.sqrt(np.square(halves).sum())) / len(halves)


def _mean_gain(table: pd.DataFrame) -> Callable[[NDArray[np.bool_]], float]:
    """The gain in UA by the rows that a mask chooses, of one corpus: mean per emotion, over those,
    over repeats."""
    repeat, emotion = (pd.factorize(table[name])[0] for name in ("repeat", "truth"))
    shape = repeat.max() + 1, emotion.max() + 1
    cell, gain = repeat * shape[1] + emotion, table["gain"].to_numpy(float)

    def mean_gain(chosen: NDArray[np.bool_]) -> float:
        counts = np.bincount(cell[chosen], minlength=shape[0] * shape[1])
        sums = np.bincount(cell[chosen], gain[chosen], minlength=shape[0] * shape[1])
        with np.errstate(invalid="ignore"):
            means = np.where(counts > 0, sums / counts, np.nan).reshape(shape)
        return float(np.nanmean(means, axis=1).mean())

    return mean_gain


def flip_test(parts: NDArray[np.float64]) -> float:
    """Two-sided p of the sum of `parts` (n,) when every part could have the other sign."""
    parts = parts[parts != 0]
    if len(parts) == 0:
        return 1.0
    exact = 2 ** len(parts) <= DRAWS
    if exact:
        patterns = np.arange(2 ** len(parts))[:, None] >> np.arange(len(parts)) & 1
        sums = (1.0 - 2.0 * patterns) @ parts
    else:
        random = np.random.default_rng(0)
        sizes = [(AT_ONCE, len(parts))] * (DRAWS // AT_ONCE)
        sums = np.concatenate([random.choice([-1.0, 1.0], size=size) @ parts for size in sizes])
    # A hair below, so that sums that are equal but for rounding count.
    extreme = np.abs(sums) >= abs(parts.sum()) * (1 - 1e-9)
    return float(extreme.mean() if exact else (1 + extreme.sum()) / (1 + DRAWS))


def _weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """What an utterance counts in the UA of its repeat: the mean of recalls, mean over corpora."""
    size = table.groupby(["corpus", "repeat", "truth"])["id"].transform("size")
    classes = table.groupby(["corpus", "repeat"])["truth"].transform("nunique")
    return np.asarray(1 / (size * classes * table["corpus"].nunique()), dtype=np.float64)


def all_pairs(names: Sequence[T]) -> list[tuple[T, T]]:
    """Every two of them, the later first: it is compared to the earlier."""
    return [(names[b], names[a]) for b in range(len(names)) for a in range(b)]
