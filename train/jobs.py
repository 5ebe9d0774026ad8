"""One job = one model trained and tested."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..device import exact_float32
from ..manifests import Split
from .baseline import fit_predict
from .config import Config
from .data import Domain
from .evaluate import probabilities, structure
from .loop import Part, fit
from .spec import ModelSpec, features_read

EpochDone = Callable[[], None]
"""Called after every epoch of any job."""

Domains = Mapping[str, Domain]
"""By corpus."""

MEMBER_SEEDS = 1000
"""Distance between the seeds of the members of one repeat."""

SVM = "svm"
"""The method of the baseline."""


@dataclass(frozen=True)
class Job:
    """One model to train and test.

    Attributes:
        method: `svm`, `single`, or a method for several corpora.
        features: those of the domains that it uses.
        splits: by corpus, all of the same seed and fold.
        config: the settings of a network; None for the baseline.
    """

    method: str
    features: tuple[str, ...]
    splits: Mapping[str, Split]
    config: Config | None

    @property
    def place(self) -> tuple[int, int]:
        """Seed and fold: which of the runs of a method it is."""
        split = next(iter(self.splits.values()))
        return split.seed, split.fold


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
        predictions: by corpus.
        weights: the state of every member; NumPy, because tensors that cross processes keep a file
            descriptor each.
        history: of every member, plain values: seed, kept epoch, learning curves and what
            `structure` says of every corpus.
    """

    seed: int
    fold: int
    predictions: Mapping[str, Prediction]
    weights: Sequence[Mapping[str, NDArray[Any]]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    seconds: float = field(default=0.0, compare=False)


@exact_float32()
def run_job(domains: Domains, job: Job, epoch_done: EpochDone = lambda: None) -> Outcome:
    """Train on the splits' training parts, choose by validation, predict the test parts.

    Args:
        domains: with the features in the encoding that the job takes.
    """
    started = time.perf_counter()
    names = features_read(job.method, job.features, job.config)
    chosen = {corpus: domains[corpus].only(names) for corpus in job.splits}
    seed, fold = job.place
    if job.config is None:
        predictions = {}
        for corpus, split in job.splits.items():
            domain = chosen[corpus]
            predicted = fit_predict(domain, domain.rows(split.train), domain.rows(split.test))
            predictions[corpus] = Prediction(split, predicted)
        return Outcome(seed, fold, predictions, seconds=time.perf_counter() - started)

    parts = [
        Part(domain, domain.rows(split.train), domain.rows(split.validation))
        for domain, split in zip(chosen.values(), job.splits.values(), strict=True)
    ]
    tests = {corpus: chosen[corpus].rows(split.test) for corpus, split in job.splits.items()}
    spec = ModelSpec.of(job.method, job.features, list(chosen.values()), job.config)
    means = {
        corpus: torch.zeros(len(rows), len(chosen[corpus].labels)) for corpus, rows in tests.items()
    }
    weights, history = [], []
    for member in range(job.config.train.members):
        member_seed = seed + MEMBER_SEEDS * member
        fitted = fit(parts, spec, job.config, member_seed, epoch_done)
        structures = {}
        for corpus, rows in tests.items():
            found = probabilities(fitted.model, chosen[corpus], rows)
            means[corpus] += found / job.config.train.members
            structures[corpus] = structure(fitted.model, chosen[corpus], rows)
        state = fitted.model.state_dict()
        weights.append({name: value.cpu().numpy() for name, value in state.items()})
        history.append(
            {
                "seed": member_seed,
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
    return Outcome(seed, fold, predictions, weights, history, time.perf_counter() - started)
