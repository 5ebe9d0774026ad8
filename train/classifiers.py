"""Classifiers of one vector per utterance: which there are, and what each says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Positions of utterances."""

Values = NDArray[np.float64]

LINEAR, LOGISTIC, RBF = "linear SVM", "logistic regression", "RBF SVM"
LDA, QDA, FOREST = "linear discriminants", "quadratic discriminants", "random forest"

Grid = Mapping[str, Mapping[str, tuple[float, ...]]]
"""What is tried: by family, the values of the attributes of `Candidate`, or of what scikit-learn
names so."""

TOLERANCE = 1e-10
"""Of the logistic regression: the largest component of the gradient of its mean loss. With a small
C all probabilities are nearly alike, and what is left at 1e-5 decides in place of the inputs."""


@dataclass(frozen=True)
class Candidate:
    """A classifier that may be chosen.

    Attributes:
        gamma: of the RBF alone.
        alike: whether all features count alike, however many values they have; else all values do.
        weighted: whether classes are weighted by n / (classes x utterances of the class).
        scaled: whether gamma is in units of scikit-learn's `scale`, 1 / (inputs x their variance).
        others: further settings of its family, as scikit-learn names them.
    """

    family: str
    C: float = 0.0
    gamma: float = 0.0
    alike: bool = False
    weighted: bool = True
    scaled: bool = True
    others: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        said = [self.family, *([f"C {self.C:g}"] if self.C else [])]
        said += [f"gamma {self.gamma:g}{' x scale' * self.scaled}"] if self.family == RBF else []
        said += [f"{name} {value:g}" for name, value in self.others]
        said += [] if self.weighted else ["classes as they are"]
        said += ["features alike"] if self.alike else []
        return ", ".join(said)


OWN = ("C", "gamma", "weighted", "scaled")
"""What a grid may have that is an attribute of a candidate."""


def candidates_of(grid: Grid) -> Iterator[Candidate]:
    """All of a grid, in its order, the first setting varying least."""
    for family, settings in grid.items():
        for values in product(*settings.values()):
            given = dict(zip(settings, values, strict=True))
            own: dict[str, Any] = {name: given.pop(name) for name in OWN if name in given}
            own |= {name: bool(own[name]) for name in ("weighted", "scaled") if name in own}
            yield Candidate(family, **own, others=tuple(given.items()))


class Space:
    """The inputs of N utterances as n of them that are trained on see them.

    Args:
        inputs: (N, d), standardised.
        rows: (n,), of those that are trained on.
        targets: (N,), the label positions of all.
    """

    def __init__(self, inputs: Values, targets: NDArray[np.int64], rows: Rows) -> None:
        self.inputs, self.targets, self.rows = inputs, targets, rows
        self.products: Values = inputs @ inputs[rows].T
        """(N, n): inner products."""
        self._kernels: dict[float, Values] = {}

    @cached_property
    def scale(self) -> float:
        """The gamma that scikit-learn calls so."""
        known = self.inputs[self.rows]
        return float(1 / (known.shape[1] * known.var() or 1.0))

    @cached_property
    def distances(self) -> Values:
        """Squared, by `scale`: (N, n)."""
        squares = np.einsum("ij,ij->i", self.inputs, self.inputs)
        distances = squares[:, None] + squares[self.rows] - 2 * self.products
        scaled: Values = np.maximum(distances, 0) * self.scale
        return scaled

    def kernel(self, gamma: float, scaled: bool = True) -> Values:
        """Of the RBF, (N, n)."""
        gamma = gamma if scaled else gamma / self.scale
        if gamma not in self._kernels:
            self._kernels[gamma] = np.exp(-gamma * self.distances)
        return self._kernels[gamma]

    @cached_property
    def coordinates(self) -> Values:
        """The inputs in axes of the space that the rows span, (N, at most n): what is at right
        angles to all of them can have no weight where weights are penalised by their squares."""
        if self.inputs.shape[1] <= len(self.rows):
            return self.inputs
        values, vectors = np.linalg.eigh(self.products[self.rows])
        kept = values > values[-1] * len(values) * np.finfo(float).eps
        coordinates: Values = self.products @ (vectors[:, kept] / np.sqrt(values[kept]))
        return coordinates


def predictions(space: Space, candidates: Sequence[Candidate], rows: Rows) -> list[Rows]:
    """What each of some classifiers, trained on the rows of the space, says of other rows: the
    label positions, (len(rows),), of every candidate."""
    from sklearn.exceptions import ConvergenceWarning

    truth = space.targets[space.rows]
    labels, counts = np.unique(truth, return_counts=True)
    weights = dict(zip(labels.tolist(), len(truth) / (len(labels) * counts), strict=True))
    found = []
    for candidate in candidates:
        classifier, values = _classifier(space, candidate, weights)
        with warnings.catch_warnings():
            # A candidate that is not at its optimum is one all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="(The )?line search")
            classifier.fit(values[space.rows], truth)
            found.append(np.asarray(classifier.predict(values[rows]), dtype=np.int64))
    return found


def _classifier(
    space: Space, candidate: Candidate, weights: Mapping[int, float]
) -> tuple[Any, Values]:
    """A classifier of scikit-learn, and what of a space it reads, (N, any)."""
    from sklearn.discriminant_analysis import (
        LinearDiscriminantAnalysis,
        QuadraticDiscriminantAnalysis,
    )
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    weighted = weights if candidate.weighted else None
    others: dict[str, Any] = dict(candidate.others)
    match candidate.family:
        case "logistic regression":
            settings = {"class_weight": weighted, "solver": "newton-cg", "tol": TOLERANCE}
            return LogisticRegression(C=candidate.C, **settings), space.coordinates
        case "linear discriminants":
            return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), space.coordinates
        case "quadratic discriminants":
            return QuadraticDiscriminantAnalysis(solver="eigen", **others), space.coordinates
        case "random forest":
            others = {name: int(value) for name, value in others.items()}
            return RandomForestClassifier(
                class_weight=weighted, random_state=0, **others
            ), space.inputs
    kernel = space.products
    if candidate.family == RBF:
        kernel = space.kernel(candidate.gamma, candidate.scaled)
    return SVC(C=candidate.C, kernel="precomputed", class_weight=weighted), kernel
