import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.train.metrics import (
    confusion_matrix,
    interval_over_repeats,
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


def test_the_interval_over_repeats_is_student_s():
    # t(.975, 4) = 2.776; deviation of 1..5 is sqrt(2.5).
    low, high = interval_over_repeats([0.1, 0.2, 0.3, 0.4, 0.5])
    half = 2.7764451 * math.sqrt(2.5) / 10 / math.sqrt(5)
    assert (low, high) == pytest.approx((0.3 - half, 0.3 + half))


def test_intervals_are_shares():
    assert interval_over_repeats([0.99, 0.6]) == (0.0, 1.0)


def test_the_bootstrap_interval_is_that_of_a_binomial():
    truth = np.zeros(400, dtype=int)
    predicted = np.array([0] * 300 + [1] * 100)
    low, high = interval_over_utterances(truth, predicted, 2)["wa"]
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert low == pytest.approx(0.75 - half, abs=0.01)
    assert high == pytest.approx(0.75 + half, abs=0.01)


def test_the_bootstrap_is_the_same_every_time_and_holds_the_rate():
    first = interval_over_utterances(TRUTH, PREDICTED, 3)
    assert first == interval_over_utterances(TRUTH, PREDICTED, 3)
    low, high = first["ua"]
    assert low <= 2 / 3 <= high
