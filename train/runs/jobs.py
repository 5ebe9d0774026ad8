"""One job = one model trained and tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...machine import exact_float32
from ...manifests import Split
from ..config import Config
from ..data import Domain
from ..evaluate import probabilities, structure
from ..loop import DomainSplit, fit
from ..methods import METHODS, features_read
from ..model import make_spec
from ..svm import fit_predict
from .folds import corpora_tested
from .software import processor

EpochDone = Callable[[], None]
"""Called after every epoch of any job."""

Domains = Mapping[str, Domain]
"""By corpus."""

MEMBER_SEEDS = 1000
"""Distance between the seeds of the members of one repeat."""

SHIFTS = 100 * MEMBER_SEEDS
"""Distance between the seeds of one member by train.seed; a repeat has at most 100 members."""


@dataclass(frozen=True)
class Job:
    """One model to train and test.

    Attributes:
        method: `svm`, `single`, or a method for several corpora.
        features: those of the domains that it uses.
        splits: by corpus, all of the same seed; those of the highest fold are tested, see
            `trained_together`.
        config: the settings of a network; None for the baseline.
    """

    method: str
    features: tuple[str, ...]
    splits: Mapping[str, Split]
    config: Config | None

    @property
    def place(self) -> tuple[int, int]:
        """Seed and fold: which of the runs of a method it is."""
        return max((split.seed, split.fold) for split in self.splits.values())


@dataclass(frozen=True)
class Prediction:
    """What was predicted for the test part of one corpus.

    Attributes:
        predicted: (n_test,), label positions, in the order of `split.test`.
        probabilities: (n_test, labels), mean over the members; None for the baseline.
    """

    split: Split
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a job leaves behind.

    Attributes:
        predictions: by corpus, of those that the job tests.
        weights: the state of every member; NumPy, because tensors that cross processes keep a file
            descriptor each.
        history: of every member, plain values: seed, kept epoch, learning curves and what
            `structure` says of every corpus that is tested.
        processor: what it was computed on.
    """

    seed: int
    fold: int
    predictions: Mapping[str, Prediction]
    weights: Sequence[Mapping[str, NDArray[Any]]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    seconds: float = field(default=0.0, compare=False)
    processor: str = field(default="", compare=False)


@exact_float32()
def run_job(domains: Domains, job: Job, epoch_done: EpochDone = lambda: None) -> Outcome:
    """Train on the splits' training parts, choose by validation, predict the test parts.

    Args:
        domains: with the features in the encoding that the job takes.
    """
    started = time.perf_counter()
    computed_on = processor(next(iter(domains.values())).device)
    method = METHODS.find(job.method)
    names = features_read(method, job.features, job.config)
    chosen = {corpus: domains[corpus].only(names) for corpus in job.splits}
    seed, fold = job.place
    if job.config is None:
        predictions = {}
        for corpus, split in job.splits.items():
            domain = chosen[corpus]
            predicted = fit_predict(domain, domain.rows(split.train), domain.rows(split.test))
            predictions[corpus] = Prediction(split, predicted)
        seconds = time.perf_counter() - started
        return Outcome(seed, fold, predictions, seconds=seconds, processor=computed_on)

    parts = [
        DomainSplit(domain, domain.rows(split.train), domain.rows(split.validation))
        for domain, split in zip(chosen.values(), job.splits.values(), strict=True)
    ]
    tests = {
        corpus: chosen[corpus].rows(job.splits[corpus].test)
        for corpus in corpora_tested(job.splits)
    }
    domain = next(iter(chosen.values()))
    spec = make_spec(method, job.features, domain.shapes, list(chosen.values()), job.config)
    means = {
        corpus: torch.zeros(len(rows), len(chosen[corpus].labels)) for corpus, rows in tests.items()
    }
    weights, history = [], []
    for member in range(job.config.train.members):
        initial = member_seed(seed, member, job.config.train.seed)
        fitted = fit(parts, spec, job.config, initial, epoch_done)
        structures = {}
        for corpus, rows in tests.items():
            found = probabilities(fitted.model, chosen[corpus], rows)
            means[corpus] += found / job.config.train.members
            structures[corpus] = structure(fitted.model, chosen[corpus], rows)
        state = fitted.model.state_dict()
        weights.append({name: value.cpu().numpy() for name, value in state.items()})
        history.append(
            {
                "seed": initial,
                "epoch": fitted.epoch,
                "loss": list(fitted.losses),
                "validation_ua": {name: list(curve) for name, curve in fitted.validation.items()},
                "structure": structures,
            }
        )
    predictions = {
        corpus: Prediction(job.splits[corpus], mean.argmax(-1).numpy(), mean.numpy())
        for corpus, mean in means.items()
    }
    seconds = time.perf_counter() - started
    return Outcome(seed, fold, predictions, weights, history, seconds, computed_on)


def member_seed(repeat: int, member: int, shift: int) -> int:
    """Of the initial weights, the order and the noise of a member.

    No two members of a repeat, by whatever `shift` (train.seed), share one, and no two repeats of
    seeds below 1000 do. It fits into the 32 bits that torch's generator looks at.
    """
    return repeat + MEMBER_SEEDS * member + SHIFTS * shift
