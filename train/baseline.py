"""Baselines: of some simple classifiers of one vector per utterance the best by validation.

What support vector machines (one against one) and logistic regression need to know of their inputs
are inner products alone, so that these are computed once for all of them, and more inputs than
utterances cost nothing but that.

Two published systems are such a baseline with a grid of their own, each in two ways: chosen by
validation, and as their printed numbers came about, where the test part had its say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .classifiers import (
    FOREST,
    LDA,
    LINEAR,
    LOGISTIC,
    QDA,
    RBF,
    Candidate,
    Grid,
    Rows,
    Space,
    candidates_of,
    predictions,
)
from .config import Config
from .metrics import confusion_matrix, unweighted_accuracy
from .speakers import of_all, of_past, utterance_moments
from .speakers import standardised as by_speaker
from .vectors import Vectors

Values = NDArray[np.float64]

GRID: Grid = {
    LINEAR: {"C": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)},
    LOGISTIC: {"C": (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)},
    RBF: {"C": (1.0, 10.0, 100.0), "gamma": (0.25, 1.0, 4.0)},
}
"""What the baseline tries, the simplest and most regularised first. A small C is much
regularisation."""

KEESING: Grid = {
    RBF: {
        "C": tuple(2.0**power for power in range(-6, 7, 2)),
        "gamma": tuple(2.0**power for power in range(-12, -1, 2)),
        "scaled": (0.0,),
    }
}
"""Of the SVM-R of Keesing et al., *Acoustic Features and Neural Representations for Categorical
Emotion Recognition from Speech*, 2021."""

_POWERS, _WEIGHTED = tuple(10.0**power for power in range(-5, 6)), (1.0, 0.0)

SERAB: Grid = {
    LDA: {},
    LOGISTIC: {"C": _POWERS, "weighted": _WEIGHTED},
    QDA: {"shrinkage": (0.1, 0.25)},
    FOREST: {
        "max_depth": (5.0, 10.0, 15.0, 20.0, 25.0),
        "min_samples_split": (2.0, 5.0, 10.0),
        "weighted": _WEIGHTED,
    },
    LINEAR: {"C": _POWERS, "weighted": _WEIGHTED},
    RBF: {"C": _POWERS, "gamma": (1.0,), "weighted": _WEIGHTED},
}
"""Of Scheidwasser-Clow et al., *SERAB: A multi-lingual benchmark for speech emotion recognition*,
2022, as in their released code, but for quadratic discriminants without shrinkage, which there are
none of with more inputs than utterances of an emotion."""

Choose = Literal["validation", "test", "family by test"]
"""What has the say: the validation part; the test parts of all folds; or the validation part within
a family (both SVMs are one), and the test part between these."""


@dataclass(frozen=True)
class Classifiers:
    """What a baseline tries, and how it chooses.

    Attributes:
        summary: what makes a vector of a sequence, one of `SUMMARIES`.
        alike: whether what is tried is tried with features that count alike, too.
    """

    grid: Grid
    summary: str = "functionals"
    alike: bool = True
    choose: Choose = "validation"


CONSTANT = 1e-9
"""An input whose deviation is this little of its mean is constant but for rounding."""

READ = (
    "model.standardise",
    "model.shrinkage",
    "model.confounded",
    "train.refit",
    "augment.perturb",
)
"""The settings that the baseline has in common with the networks."""


class BaselineSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the numbers of the baseline depend on: of all settings those that it reads.

    Attributes:
        standardise, shrinkage: as `ModelSettings` has them; for one corpus `corpus` is `shared`.
        refit: as `TrainSettings` has it.
        perturb: as `AugmentSettings` has it.
        candidates, alike, choose: as `Classifiers` has them.
    """

    standardise: Literal["shared", "speaker", "causal"]
    refit: bool
    candidates: dict[str, dict[str, tuple[float, ...]]]
    shrinkage: float = 0.0
    alike: bool = True
    choose: Choose = "validation"
    perturb: str = ""

    @classmethod
    def of(cls, config: Config, classifiers: Classifiers) -> BaselineSettings:
        """Those of a preset and its changes, for a baseline."""
        model, by_speaker = config.model, config.model.by_speaker
        standardise = model.standardise if model.standardise != "corpus" else "shared"
        return cls(
            standardise=standardise,
            refit=config.train.refit,
            candidates={name: dict(values) for name, values in classifiers.grid.items()},
            shrinkage=model.shrinkage if by_speaker else 0.0,
            alike=classifiers.alike,
            choose=classifiers.choose,
            perturb=config.augment.perturb,
        )

    @property
    def changes(self) -> tuple[str, ...]:
        """What is not as a baseline has it where nobody says, as it can be typed."""
        changes = []
        if self.standardise != "shared":
            changes = [
                f"model.standardise={self.standardise}",
                f"model.shrinkage={self.shrinkage}",
            ]
        changes += [] if self.refit else ["train.refit=false"]
        changes += [f"augment.perturb={self.perturb}"] if self.perturb else []
        return tuple(changes)

    def tried(self, features: int) -> tuple[Candidate, ...]:
        """All candidates: of several features, also with all that count alike."""
        plain = tuple(candidates_of(self.candidates))
        if features == 1 or not self.alike:
            return plain
        return (*plain, *(replace(candidate, alike=True) for candidate in plain))


def standardised(vectors: Vectors, rows: Rows, settings: BaselineSettings) -> list[Values]:
    """The inputs of all N utterances as `settings.standardise` says, and of every perturbation
    those of the n that are trained on: (N + n perturbations, d) of every feature.

    Args:
        rows: the training part, (n,).
    """
    inputs = []
    for name in vectors.features:
        versions = [each.features[name][rows] for each in vectors.versions]
        known = np.concatenate(versions).astype(np.float64)
        mean = known.mean(0)
        std = np.where(known.std(0) > CONSTANT * np.abs(mean), known.std(0), 1.0)
        whole, *perturbed = (
            _standardised(each, name, mean, std, settings) for each in vectors.versions
        )
        inputs.append(np.concatenate([whole, *(values[rows] for values in perturbed)]))
    return inputs


def _standardised(
    vectors: Vectors, name: str, mean: Values, std: Values, settings: BaselineSettings
) -> Values:
    """A feature of all N utterances, (N, d), by its moments over those that are trained on."""
    values = vectors.features[name]
    if settings.standardise == "shared":
        shared: Values = (values - mean) / std
        return shared
    moments = utterance_moments(values)
    if settings.standardise == "causal":
        heard = of_past(moments, vectors.speakers, vectors.ids)
    else:
        heard = of_all(moments, vectors.speakers)
    return by_speaker(values, heard, mean, std, settings.shrinkage)


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


class Parts(NamedTuple):
    """The rows of a split."""

    train: Rows
    validation: Rows
    test: Rows


def train_baseline(
    vectors: Vectors, settings: BaselineSettings, parts: Parts, folds: Sequence[Parts] = ()
) -> tuple[Rows, Candidate, dict[Candidate, float]]:
    """Choose a candidate, train it, and let it predict.

    Args:
        folds: of the repeat, for settings in which the test parts of all have the say; none: there
            is but this one.

    Returns:
        The label positions of the rows `test`; the candidate of the highest UA, of several the
        first; the UA of all that it was chosen from.
    """
    candidates = settings.tried(len(vectors.features))

    def known(of: Parts) -> Rows:
        return np.concatenate([of.train, of.validation]) if settings.refit else of.train

    if settings.choose == "test":
        tests = [(known(fold), fold.test) for fold in folds or [parts]]
        uas = scored(vectors, settings, candidates, tests)
    else:
        uas = scored(vectors, settings, candidates, [(parts.train, parts.validation)])
    if settings.choose == "family by test":
        kinds = dict.fromkeys(map(_kind, candidates))
        best = [_best({c: ua for c, ua in uas.items() if _kind(c) == kind}) for kind in kinds]
        uas = scored(vectors, settings, best, [(known(parts), parts.test)])
    chosen = _best(uas)
    (predicted,) = trained(vectors, settings, [chosen], known(parts), parts.test)
    return predicted, chosen, uas


def scored(
    vectors: Vectors,
    settings: BaselineSettings,
    candidates: Sequence[Candidate],
    parts: Sequence[tuple[Rows, Rows]],
) -> dict[Candidate, float]:
    """The UA of candidates on some parts together, each trained on the rows before it."""
    said = [trained(vectors, settings, candidates, train, test) for train, test in parts]
    truth = vectors.targets[np.concatenate([test for _, test in parts])]
    uas = {}
    for candidate, predicted in zip(candidates, zip(*said, strict=True), strict=True):
        counts = confusion_matrix(truth, np.concatenate(predicted), len(vectors.labels))
        uas[candidate] = unweighted_accuracy(counts)
    return uas


def trained(
    vectors: Vectors,
    settings: BaselineSettings,
    candidates: Sequence[Candidate],
    train: Rows,
    rows: Rows,
) -> list[Rows]:
    """What candidates that were trained on some rows say of others."""
    features = standardised(vectors, train, settings)
    # Behind all utterances stand the perturbed versions of those that are trained on.
    repeated = np.tile(train, len(vectors.perturbed))
    targets = np.concatenate([vectors.targets, vectors.targets[repeated]])
    known = np.concatenate([train, len(vectors.targets) + np.arange(len(repeated))])
    found: dict[Candidate, Rows] = {}
    for alike in dict.fromkeys(candidate.alike for candidate in candidates):
        space = Space(side_by_side(features, alike), targets, known)
        these = [candidate for candidate in candidates if candidate.alike == alike]
        found |= zip(these, predictions(space, these, rows), strict=True)
    return [found[candidate] for candidate in candidates]


def _kind(candidate: Candidate) -> str:
    """A family; the support vector machines are one."""
    return "SVM" if candidate.family in (LINEAR, RBF) else candidate.family


def _best(uas: Mapping[Candidate, float]) -> Candidate:
    """The first of the highest UA. What is the same mean of recalls may differ in the order in
    which they were added."""
    return max(uas, key=lambda candidate: round(uas[candidate], 9))
