"""Recognition rates: recall, UA, WA, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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


RATES: Mapping[str, Callable[[IntArray], float]] = {
    "ua": unweighted_accuracy,
    "wa": weighted_accuracy,
}
"""The rates that are taken of every run, of its confusion matrix, by their names."""


CALIBRATION_BINS = 15


def expected_calibration_error(confidence: FloatArray, right: NDArray[np.bool_]) -> float:
    """ECE: how far confidence is from the share of right answers, on average (Guo et al. 2017).

    The sum over 15 equally wide bins of confidence, ((m - 1)/15, m/15], of
    |share of right answers - mean confidence| times the share of utterances in the bin.

    Args:
        confidence: the probability of the predicted label (n,).
        right: whether that is the true one (n,).
    """
    differences = _binned(confidence, right - confidence)
    return float(np.abs(differences).sum() / len(confidence))


def calibration_error_by_chance(confidence: FloatArray) -> float:
    """The ECE that confidence would have on average if every answer were right with that very
    probability: what utterances of this number cannot tell from none.

    In a bin the sum of right - confidence then has the variance v, the sum of c (1 - c), and as a
    normal variable the mean size sqrt(2 v / pi).

    Args:
        confidence: the probability of the predicted label (n,).
    """
    variances = _binned(confidence, confidence * (1 - confidence))
    return float(np.sqrt(2 / np.pi * variances).sum() / len(confidence))


def _binned(confidence: FloatArray, values: FloatArray) -> FloatArray:
    """Sums of values (n,) over the bins of confidence."""
    bins = np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1
    return np.bincount(np.maximum(bins, 0), values, CALIBRATION_BINS).astype(float)


def error_over_repeats(values: Sequence[float], test_to_train: float) -> float:
    """Standard error of the mean of repeated random splits, by Nadeau and Bengio (2003).

    Its square is s^2 (1/n + test/train): repeats share most of their training utterances, so
    s^2 / n alone would be too small.

    Args:
        values: one per repeat, at least two.
        test_to_train: size of the test part by that of the training part.
    """
    return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + test_to_train))


def error_over_units(units: Sequence[str], value: Callable[[NDArray[np.bool_]], float]) -> float:
    """Standard error of a value of many utterances: the jackknife over units, such as speakers.

    Args:
        units: of every utterance (n,); those of one unit stand or fall together.
        value: of the utterances that a mask (n,) chooses.
    """
    names = np.asarray(units)
    without = np.array([value(names != name) for name in np.unique(names)])
    return float(np.sqrt((len(without) - 1) * without.var()))


def half_width(error: float, freedom: int) -> float:
    """Of the 95 % interval by Student's t of so many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), 0.975)) * error


def rate_interval(rate: float, half: float) -> tuple[float, float]:
    """An interval around a rate that does not leave 0 to 1."""
    return max(rate - half, 0.0), min(rate + half, 1.0)


def interval_over_repeats(values: Sequence[float], test_to_train: float) -> tuple[float, float]:
    """95 % interval of the mean rate of repeated random splits: see `error_over_repeats`."""
    half = half_width(error_over_repeats(values, test_to_train), len(values) - 1)
    return rate_interval(float(np.mean(values)), half)


def interval_over_units(
    units: Sequence[str], rate: Callable[[NDArray[np.bool_]], float]
) -> tuple[float, float]:
    """95 % interval of a rate over all utterances: see `error_over_units`.

    Args:
        units: of every utterance (n,), such as its speaker; at least two different ones.
        rate: the rate of the utterances that a mask (n,) chooses.
    """
    half = half_width(error_over_units(units, rate), len(set(units)) - 1)
    return rate_interval(rate(np.ones(len(units), dtype=bool)), half)


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
