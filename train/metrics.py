"""Recognition rates: recall, UA, WA, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

IntArray = NDArray[np.integer]
FloatArray = NDArray[np.floating]


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): row = truth, column = prediction."""
    cells = np.asarray(truth) * classes + np.asarray(predicted)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def recalls(confusion: IntArray) -> FloatArray:
    """Recall per class (classes,); NaN for a class that does not occur."""
    counts = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, confusion.diagonal() / counts, np.nan)


def unweighted_accuracy(confusion: IntArray) -> float:
    """UA: mean recall over the classes that occur."""
    return float(np.nanmean(recalls(confusion)))


def weighted_accuracy(confusion: IntArray) -> float:
    """WA: share of utterances that are right."""
    return float(confusion.trace() / confusion.sum())


def interval_over_repeats(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of repeats, by Student's t."""
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * spread / len(values) ** 0.5
    return max(mean - half, 0.0), min(mean + half, 1.0)


def interval_over_utterances(
    truth: IntArray, predicted: IntArray, classes: int, draws: int = 2000
) -> dict[str, tuple[float, float]]:
    """95 % intervals of UA and WA by the percentile bootstrap over utterances, seeded.

    Utterances are drawn within their class, so that every draw has the classes of the test part.
    """
    confusion = confusion_matrix(truth, predicted, classes)
    present = confusion.sum(axis=1) > 0
    generator = np.random.default_rng(0)
    # Drawing n utterances of a class with replacement is one multinomial draw of its row.
    drawn = np.stack(
        [
            generator.multinomial(row.sum(), row / row.sum(), size=draws)
            for row in confusion[present]
        ],
        axis=1,
    )
    right = drawn[:, np.arange(present.sum()), np.flatnonzero(present)]
    per_class = confusion[present].sum(axis=1)
    ua = (right / per_class).mean(axis=1)
    wa = right.sum(axis=1) / per_class.sum()
    return {name: _percentiles(values) for name, values in (("ua", ua), ("wa", wa))}


def _percentiles(values: FloatArray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
