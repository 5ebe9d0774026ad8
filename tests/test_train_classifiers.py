"""The families of published classifiers against scikit-learn on all inputs."""

import warnings

import numpy as np
import pytest
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from ser.train.baseline import SERAB
from ser.train.classifiers import (
    FOREST,
    LDA,
    LINEAR,
    LOGISTIC,
    QDA,
    RBF,
    Candidate,
    Space,
    candidates_of,
    predictions,
)


def made(n=90, d=6, seed=0):
    """Inputs of three unequal classes, and which of them are trained on."""
    random = np.random.default_rng(seed)
    targets = np.array([0, 0, 0, 1, 1, 2] * (n // 6))
    inputs = random.normal(size=(3, d))[targets] + 1.5 * random.normal(size=(n, d))
    rows = random.permutation(n)
    return inputs, targets, rows[: n // 2], rows[n // 2 :]


def test_the_grid_of_serab():
    found = list(candidates_of(SERAB))
    families = [candidate.family for candidate in found]
    counts = {LDA: 1, LOGISTIC: 22, QDA: 2, FOREST: 5 * 3 * 2, LINEAR: 22, RBF: 22}
    assert {family: families.count(family) for family in dict.fromkeys(families)} == counts
    assert len({str(candidate) for candidate in found}) == len(found)
    assert {candidate.C for candidate in found if candidate.C} == {10.0**k for k in range(-5, 6)}
    last = [candidate for candidate in found if candidate.family == FOREST][-1]
    assert last == Candidate(
        FOREST, weighted=False, others=(("max_depth", 25.0), ("min_samples_split", 10.0))
    )
    assert str(last) == "random forest, max_depth 25, min_samples_split 10, classes as they are"


@pytest.mark.parametrize(
    ("candidate", "classifier"),
    [
        (Candidate(LDA), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
        (
            Candidate(QDA, others=(("shrinkage", 0.25),)),
            QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.25),
        ),
        (
            Candidate(FOREST, others=(("max_depth", 5.0), ("min_samples_split", 5.0))),
            RandomForestClassifier(
                class_weight="balanced", random_state=0, max_depth=5, min_samples_split=5
            ),
        ),
        (
            Candidate(LOGISTIC, C=10.0, weighted=False),
            LogisticRegression(C=10.0, solver="newton-cg", tol=1e-10),
        ),
    ],
)
def test_a_family_says_what_scikit_learn_does(candidate, classifier):
    inputs, targets, train, test = made()
    (said,) = predictions(Space(inputs, targets, train), [candidate], test)
    np.testing.assert_array_equal(
        said, classifier.fit(inputs[train], targets[train]).predict(inputs[test])
    )
    assert len(set(said.tolist())) > 1


def test_more_inputs_than_utterances_stop_no_family():
    inputs, targets, train, test = made(n=60, d=200)
    some = [Candidate(LDA), Candidate(QDA, others=(("shrinkage", 0.1),)), Candidate(LINEAR, C=1e5)]
    for said in predictions(Space(inputs, targets, train), some, test):
        assert np.mean(said == targets[test]) > 0.5


def test_a_search_that_ends_before_its_optimum_warns_nobody():
    inputs, targets, train, test = made()
    space, far = Space(1e6 * inputs, targets, train), Candidate(LOGISTIC, C=100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (said,) = predictions(space, [far], test)
    assert np.mean(said == targets[test]) > 0.5
