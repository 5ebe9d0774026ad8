"""Recognition rates: recall, UA, WA, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

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


def interval_over_repeats(values: Sequence[float], test_to_train: float) -> tuple[float, float]:
    """95 % interval of the mean of repeated random splits.

    Student's t with the variance of Nadeau and Bengio (2003), s^2 (1/n + test/train): repeats share
    most of their training utterances, so s^2 / n alone would be too small.

    Args:
        values: one rate per repeat, at least two.
        test_to_train: size of the test part by that of the training part.
    """
    count = len(values)
    deviation = float(np.std(values, ddof=1)) * (1 / count + test_to_train) ** 0.5
    return _interval(float(np.mean(values)), deviation, count - 1)


def interval_over_speakers(
    speakers: Sequence[str], rate: Callable[[NDArray[np.bool_]], float]
) -> tuple[float, float]:
    """95 % interval of a rate over all utterances: jackknife over speakers, with Student's t.

    Utterances of one speaker stand or fall together, so speakers are what is sampled.

    Args:
        speakers: of every utterance (n,), at least two different ones.
        rate: the rate of the utterances that a mask (n,) chooses.
    """
    names = np.asarray(speakers)
    chosen = np.unique(names)
    without = np.array([rate(names != name) for name in chosen])
    count = len(chosen)
    deviation = ((count - 1) / count * np.sum((without - without.mean()) ** 2)) ** 0.5
    return _interval(rate(np.ones(len(names), dtype=bool)), float(deviation), count - 1)


def interval_over_utterances(
    confusion: IntArray, rate: Callable[[IntArray], float], draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of a rate: the percentile bootstrap over utterances, seeded.

    Utterances are drawn within their class, so that every draw has the classes of the test part.

    Args:
        confusion: counts (classes, classes).
        rate: a rate of such a matrix.
    """
    generator = np.random.default_rng(0)
    # Drawing the n utterances of a class with replacement is one multinomial draw of its row.
    rows = [generator.multinomial(row.sum(), row / max(row.sum(), 1), draws) for row in confusion]
    low, high = np.percentile([rate(drawn) for drawn in np.stack(rows, axis=1)], [2.5, 97.5])
    return float(low), float(high)


def _interval(mean: float, deviation: float, freedom: int) -> tuple[float, float]:
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, 0.975)) * deviation
    return max(mean - half, 0.0), min(mean + half, 1.0)
