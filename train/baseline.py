"""The baseline: of some simple classifiers of one vector per utterance the best by validation.

Linear and RBF support vector machines (one against one) and multinomial logistic regression, all
with classes weighted by n / (classes x utterances of the class). What they need to know of their
inputs are inner products alone, so that these are computed once for all of them, and more inputs
than utterances cost nothing but that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .config import Config
from .metrics import confusion_matrix, unweighted_accuracy
from .speakers import of_all, of_past, utterance_moments
from .speakers import standardised as by_speaker
from .vectors import Vectors

Rows = NDArray[np.int64]
"""Positions of utterances."""

Values = NDArray[np.float64]

LINEAR, LOGISTIC, RBF = "linear SVM", "logistic regression", "RBF SVM"

GRID: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    LINEAR: {"C": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)},
    LOGISTIC: {"C": (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)},
    RBF: {"C": (1.0, 10.0, 100.0), "gamma": (0.25, 1.0, 4.0)},
}
"""What is tried. A small C is much regularisation; gamma is in units of scikit-learn's `scale`,
1 / (inputs x their variance)."""

TOLERANCE = 1e-10
"""Of the logistic regression: the largest component of the gradient of its mean loss. With a small
C all probabilities are nearly alike, and what is left at 1e-5 decides in place of the inputs."""


CONSTANT = 1e-9
"""An input whose deviation is this little of its mean is constant but for rounding."""

READ = ("model.standardise", "model.shrinkage", "model.confounded", "train.refit")
"""The settings that the baseline has in common with the networks."""


class BaselineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the numbers of the baseline depend on: of all settings those that it reads.

    Attributes:
        standardise, shrinkage: as `ModelSettings` has them; for one corpus `corpus` is `shared`.
        refit: as `TrainSettings` has it.
        candidates: by their family, the values of their settings.
        alike: whether the candidates are tried with features that count alike, too.
    """

    standardise: Literal["shared", "speaker", "causal"]
    refit: bool
    candidates: dict[str, dict[str, tuple[float, ...]]]
    shrinkage: float = 0.0
    alike: bool = True

    @classmethod
    def of(cls, config: Config) -> BaselineSettings:
        """Those of a preset and its changes."""
        model, grid = config.model, {name: dict(values) for name, values in GRID.items()}
        if model.standardise == "speaker" or model.standardise == "causal":
            return cls(model.standardise, config.train.refit, grid, model.shrinkage)
        return cls("shared", config.train.refit, grid)


@dataclass(frozen=True)
class Candidate:
    """A classifier that may be chosen.

    Attributes:
        gamma: of the RBF alone.
        alike: whether all features count alike, however many values they have; else all values do.
    """

    family: str
    C: float
    gamma: float = 0.0
    alike: bool = False

    def __str__(self) -> str:
        gamma = f", gamma {self.gamma:g} x scale" if self.family == RBF else ""
        return f"{self.family}, C {self.C:g}{gamma}{', features alike' if self.alike else ''}"


CANDIDATES = tuple(
    Candidate(family, C, gamma)
    for family, values in GRID.items()
    for C in values["C"]
    for gamma in values.get("gamma", (0.0,))
)
"""The simplest and most regularised first."""


def candidates_for(features: int) -> tuple[Candidate, ...]:
    """Those that are tried: of several features, also with all that count alike."""
    alike = (replace(candidate, alike=True) for candidate in CANDIDATES)
    return CANDIDATES if features == 1 else (*CANDIDATES, *alike)


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
    def distances(self) -> Values:
        """Squared, by the gamma that scikit-learn calls `scale`: (N, n)."""
        squares = np.einsum("ij,ij->i", self.inputs, self.inputs)
        distances = squares[:, None] + squares[self.rows] - 2 * self.products
        known = self.inputs[self.rows]
        scaled: Values = np.maximum(distances, 0) / (known.shape[1] * known.var() or 1.0)
        return scaled

    def kernel(self, gamma: float) -> Values:
        """Of the RBF, (N, n)."""
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
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    truth = space.targets[space.rows]
    labels, counts = np.unique(truth, return_counts=True)
    weights = dict(zip(labels.tolist(), len(truth) / (len(labels) * counts), strict=True))
    found = []
    for candidate in candidates:
        if candidate.family == LOGISTIC:
            values = space.coordinates
            classifier: Any = LogisticRegression(
                C=candidate.C, class_weight=weights, solver="newton-cg", tol=TOLERANCE
            )
        else:
            values = space.kernel(candidate.gamma) if candidate.family == RBF else space.products
            classifier = SVC(C=candidate.C, kernel="precomputed", class_weight=weights)
        classifier.fit(values[space.rows], truth)
        found.append(np.asarray(classifier.predict(values[rows]), dtype=np.int64))
    return found


def standardised(vectors: Vectors, rows: Rows, settings: BaselineSettings) -> list[Values]:
    """The inputs of all N utterances as `settings.standardise` says, (N, d) of every feature.

    Args:
        rows: the training part.
    """
    inputs = []
    for values in vectors.features.values():
        known = values[rows].astype(np.float64)
        mean = known.mean(0)
        std = np.where(known.std(0) > CONSTANT * np.abs(mean), known.std(0), 1.0)
        if settings.standardise == "shared":
            inputs.append((values - mean) / std)
            continue
        moments = utterance_moments(values)
        if settings.standardise == "causal":
            heard = of_past(moments, vectors.speakers, vectors.ids)
        else:
            heard = of_all(moments, vectors.speakers)
        inputs.append(by_speaker(values, heard, mean, std, settings.shrinkage))
    return inputs


def side_by_side(features: Sequence[Values], alike: bool) -> Values:
    """All features as one vector of d values, (N, d).

    Args:
        features: standardised, (N, d_f) each; F of them.
        alike: scale each by sqrt(d / (F d_f)), so that they add as much to inner products.
    """
    if not alike:
        return np.concatenate(features, axis=1)
    mean = np.mean([values.shape[1] for values in features])
    return np.concatenate([v * np.sqrt(mean / v.shape[1]) for v in features], axis=1)


def train_baseline(
    vectors: Vectors, settings: BaselineSettings, train: Rows, validation: Rows, test: Rows
) -> tuple[Rows, Candidate, dict[Candidate, float]]:
    """Choose a candidate by validation, train it, and let it predict.

    Returns:
        The label positions of the rows `test`; the candidate of the highest validation UA, of
        several the first; the validation UA of all candidates.
    """
    targets, candidates = vectors.targets, candidates_for(len(vectors.features))
    features = standardised(vectors, train, settings)
    uas: dict[Candidate, float] = {}
    spaces = {}
    for alike in dict.fromkeys(candidate.alike for candidate in candidates):
        spaces[alike] = Space(side_by_side(features, alike), targets, train)
        these = [candidate for candidate in candidates if candidate.alike == alike]
        for candidate, said in zip(
            these, predictions(spaces[alike], these, validation), strict=True
        ):
            counts = confusion_matrix(targets[validation], said, len(vectors.labels))
            uas[candidate] = unweighted_accuracy(counts)
    # What is the same mean of recalls may differ in the order in which they were added.
    best = max(uas, key=lambda candidate: round(uas[candidate], 9))
    space = spaces[best.alike]
    if settings.refit:
        both = np.concatenate([train, validation])
        features = standardised(vectors, both, settings)
        space = Space(side_by_side(features, best.alike), targets, both)
    (predicted,) = predictions(space, [best], test)
    return predicted, best, uas
