"""One job = one model trained and tested. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...manifests import Split
from ..baseline import BaselineSettings
from ..config import Config
from ..methods import Method, features_read
from ..network.spec import ModelSpec
from .choices import Choice
from .curves import Trained

if TYPE_CHECKING:
    from ..data import Domain

Domains: TypeAlias = "Mapping[str, Domain]"
"""By corpus."""


@dataclass(frozen=True)
class Job:
    """One model to train and test, or an ensemble of such.

    Attributes:
        features: those of the domains that are fused, or given to the baseline.
        splits: by corpus, all of the same seed; those of the highest fold are tested, see
            `trained_together`.
        spec, config: of a network; None of a baseline.
        baseline: of a baseline that has settings.
        folds: of one whose choice is by the test parts of a whole repeat, the splits of all its
            jobs.
    """

    method: Method
    features: tuple[str, ...]
    splits: Mapping[str, Split]
    spec: ModelSpec | None
    config: Config | None
    baseline: BaselineSettings | None = None
    folds: Sequence[Mapping[str, Split]] = ()

    @property
    def place(self) -> tuple[int, int]:
        """Seed and fold: which of the runs of a method it is."""
        return max((split.seed, split.fold) for split in self.splits.values())

    @property
    def reads(self) -> tuple[str, ...]:
        """All features of the domains that it reads."""
        return features_read(self.method, self.features, self.config)

    @property
    def members(self) -> int:
        """Networks that are trained."""
        return self.config.train.members if self.config else 0

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities are."""
        return self.config is not None and self.config.train.calibrate

    @property
    def epochs(self) -> int:
        """Of all its networks; of those that are trained anew, the most there can be."""
        if self.config is None:
            return 0
        return self.config.train.epochs * self.members * (1 + self.config.train.refit)

    @property
    def size(self) -> int:
        """How much there is to do: utterances times epochs."""
        return self.epochs * sum(len(split.train) for split in self.splits.values())


@dataclass(frozen=True)
class Prediction:
    """What was predicted for the test part of one corpus.

    Attributes:
        predicted: (n_test,), label positions, in the order of `split.test`.
        probabilities: (n_test, labels), mean over the members, calibrated if the job is; None of
            a baseline.
        uncalibrated: (n_test,), what the predicted label had before; None where nothing was
            calibrated.
    """

    split: Split
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None = None
    uncalibrated: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a job leaves behind.

    Attributes:
        predictions: by corpus, of those that the job tests.
        weights: the state of every member; NumPy, because tensors that cross processes keep a file
            descriptor each.
        history: of every member.
        temperatures: by corpus of the job; empty where nothing was calibrated.
        choices: by corpus that is tested, what a baseline chose.
        processor: what it was computed on.
    """

    seed: int
    fold: int
    predictions: Mapping[str, Prediction]
    weights: Sequence[Mapping[str, NDArray[Any]]] = ()
    history: Sequence[Trained] = ()
    temperatures: Mapping[str, float] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)
    processor: str = field(default="", compare=False)
