import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.train.metrics import (
    confusion_matrix,
    interval_over_repeats,
    interval_over_units,
    interval_over_utterances,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 2, 1, 0, 2])


def test_rates_worked_out_by_hand():
    confusion = confusion_matrix(TRUTH, PREDICTED, 3)
    assert confusion.tolist() == [[2, 1, 1], [1, 1, 0], [0, 0, 1]]
    assert recalls(confusion).tolist() == [0.5, 0.5, 1.0]
    assert unweighted_accuracy(confusion) == pytest.approx(2 / 3)
    assert weighted_accuracy(confusion) == pytest.approx(4 / 7)


def test_a_class_that_does_not_occur_has_no_recall_and_does_not_count():
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 1, 2]), 4)
    found = recalls(confusion)
    assert math.isnan(found[1])
    assert math.isnan(found[3])
    assert unweighted_accuracy(confusion) == pytest.approx(0.75)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=80))
def test_wa_is_the_share_of_right_answers_and_ua_agrees_with_scikit_learn(pairs):
    from sklearn.metrics import recall_score

    truth, predicted = np.array(pairs).T
    confusion = confusion_matrix(truth, predicted, 5)
    assert confusion.sum() == len(pairs)
    assert weighted_accuracy(confusion) == pytest.approx(np.mean(truth == predicted))
    reference = recall_score(truth, predicted, labels=np.unique(truth), average="macro")
    assert unweighted_accuracy(confusion) == pytest.approx(reference)


def test_the_interval_over_repeats_is_student_s_with_the_overlap_added():
    # t(.975, 4) = 2.776; the deviation of .1 to .5 is sqrt(.025).
    low, high = interval_over_repeats([0.3, 0.4, 0.5, 0.6, 0.7], test_to_train=0.3)
    half = 2.7764451 * math.sqrt(0.025) * math.sqrt(1 / 5 + 0.3)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


def test_intervals_are_shares():
    assert interval_over_repeats([0.99, 0.6], 0.3) == (0.0, 1.0)


def test_the_interval_over_speakers_is_the_jackknife():
    # Three speakers with rates 1, 1/2 and 0: left out in turn, 1/4, 1/2, 3/4.
    speakers = ["a", "a", "b", "b", "c", "c"]
    right = np.array([1, 1, 1, 0, 0, 0])
    low, high = interval_over_units(speakers, lambda chosen: right[chosen].mean())
    error = math.sqrt(2 / 3 * 2 * 0.25**2)
    half = 4.3026527 * error  # t(.975, 2)
    assert (low, high) == pytest.approx((max(0.5 - half, 0), min(0.5 + half, 1)))


def test_the_bootstrap_interval_of_wa_is_that_of_a_binomial():
    confusion = np.array([[300, 100], [0, 0]])
    low, high = interval_over_utterances(confusion, weighted_accuracy)
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert low == pytest.approx(0.75 - half, abs=0.01)
    assert high == pytest.approx(0.75 + half, abs=0.01)


def test_the_bootstrap_interval_of_ua_weighs_classes_alike():
    # Recalls .5 of 100 and .9 of 400: the deviation of their mean is half the root of the sum.
    confusion = np.array([[50, 50], [40, 360]])
    low, high = interval_over_utterances(confusion, unweighted_accuracy)
    half = 1.96 * math.sqrt(0.25 / 100 + 0.09 / 400) / 2
    assert low == pytest.approx(0.7 - half, abs=0.01)
    assert high == pytest.approx(0.7 + half, abs=0.01)
    assert (low, high) == interval_over_utterances(confusion, unweighted_accuracy)
