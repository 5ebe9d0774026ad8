"""One job = one model trained and tested."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...machine import exact_float32
from ...manifests import Split
from ..calibration import fit_temperature
from ..config import Config
from ..data import Domain
from ..evaluate import probabilities, structure
from ..loop import DomainSplit, EpochDone, fit
from ..methods import Method, features_read
from ..network.ensemble import Ensemble, tempered
from ..network.spec import ModelSpec
from ..svm import fit_predict
from .curves import Trained
from .software import processor
from .splits import corpora_tested

Domains = Mapping[str, Domain]
"""By corpus."""

MEMBER_SEEDS = 1000
"""Distance between the seeds of the members of one repeat."""

SHIFTS = 100 * MEMBER_SEEDS
"""Distance between the seeds of one member by train.seed; a repeat has at most 100 members."""


@dataclass(frozen=True)
class Job:
    """One model to train and test, or an ensemble of such.

    Attributes:
        features: those of the domains that are fused, or given to the baseline.
        splits: by corpus, all of the same seed; those of the highest fold are tested, see
            `trained_together`.
        spec, config: of a network; None for the baseline.
    """

    method: Method
    features: tuple[str, ...]
    splits: Mapping[str, Split]
    spec: ModelSpec | None
    config: Config | None

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
    def size(self) -> int:
        """How much there is to do: utterances times epochs."""
        epochs = self.config.train.epochs * self.members if self.config else 0
        return epochs * sum(len(split.train) for split in self.splits.values())


@dataclass(frozen=True)
class Prediction:
    """What was predicted for the test part of one corpus.

    Attributes:
        predicted: (n_test,), label positions, in the order of `split.test`.
        probabilities: (n_test, labels), mean over the members, calibrated if the job is; None for
            the baseline.
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
        processor: what it was computed on.
    """

    seed: int
    fold: int
    predictions: Mapping[str, Prediction]
    weights: Sequence[Mapping[str, NDArray[Any]]] = ()
    history: Sequence[Trained] = ()
    temperatures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)
    processor: str = field(default="", compare=False)


@exact_float32()
def run_job(domains: Domains, job: Job, epoch_done: EpochDone = lambda validation: None) -> Outcome:
    """Train on the splits' training parts, choose and calibrate by validation, predict the test
    parts.

    Args:
        domains: with the features in the encoding that the job takes.
    """
    started = time.perf_counter()
    chosen = {corpus: domains[corpus].only(job.reads) for corpus in job.splits}
    tests = {
        corpus: chosen[corpus].rows(job.splits[corpus].test)
        for corpus in corpora_tested(job.splits)
    }
    weights: list[Mapping[str, NDArray[Any]]] = []
    history: list[Trained] = []
    temperatures: dict[str, float] = {}
    if job.config is None or job.spec is None:
        predictions = {
            corpus: Prediction(
                job.splits[corpus],
                fit_predict(domain, domain.rows(job.splits[corpus].train), tests[corpus]),
            )
            for corpus, domain in chosen.items()
        }
    else:
        subsets = [
            DomainSplit(domain, domain.rows(split.train), domain.rows(split.validation))
            for domain, split in zip(chosen.values(), job.splits.values(), strict=True)
        ]
        models = []
        for member in range(job.members):
            seed = member_seed(job.place[0], member, job.config.train.seed)
            fitted = fit(subsets, job.spec, job.config, seed, epoch_done, job.method)
            models.append(fitted.model)
            state = fitted.model.state_dict()
            weights.append({name: value.cpu().numpy() for name, value in state.items()})
            structures = {
                corpus: structure(fitted.model, chosen[corpus], rows)
                for corpus, rows in tests.items()
            }
            history.append(
                Trained(seed, fitted.epoch, fitted.losses, fitted.validation, structures)
            )
        ensemble = Ensemble(models)
        if job.calibrated:
            temperatures = {each.domain.corpus: _temperature(ensemble, each) for each in subsets}
        predictions = {}
        for corpus, rows in tests.items():
            mean = probabilities(ensemble, chosen[corpus], rows)
            predictions[corpus] = _prediction(job.splits[corpus], mean, temperatures.get(corpus))
    return Outcome(
        *job.place,
        predictions,
        weights,
        history,
        temperatures,
        time.perf_counter() - started,
        processor(next(iter(domains.values())).device),
    )


def _temperature(ensemble: Ensemble, split: DomainSplit) -> float:
    """Of a corpus, by its validation part."""
    said = probabilities(ensemble, split.domain, split.validation)
    return fit_temperature(said.numpy(), split.domain.truth(split.validation).numpy())


def _prediction(split: Split, mean: Tensor, temperature: float | None) -> Prediction:
    """By the mean over the members, (n_test, labels)."""
    predicted = mean.argmax(-1)
    if temperature is None:
        return Prediction(split, predicted.numpy(), mean.numpy())
    before = mean.gather(1, predicted[:, None])[:, 0]
    return Prediction(split, predicted.numpy(), tempered(mean, temperature).numpy(), before.numpy())


def member_seed(repeat: int, member: int, shift: int) -> int:
    """Of the initial weights, the order and the noise of a member.

    No two members of a repeat, by whatever `shift` (train.seed), share one, and no two repeats of
    seeds below 1000 do. It fits into the 32 bits that torch's generator looks at.
    """
    return repeat + MEMBER_SEEDS * member + SHIFTS * shift
