"""Finished jobs of runs that are not finished: a file each, so that none is done twice.

A file is the SHA-256 of all that follows, then tensors in the format of safetensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...errors import SerError
from ...files import atomic_write, parse_json, read_regular
from ..network.settings import Temperature
from .choices import Choice
from .curves import Trained
from .jobs import Job, Outcome, Prediction
from .splits import corpora_tested, corpora_trained

Tensors = dict[str, NDArray[Any]]

SUM = hashlib.sha256().digest_size
MOST_BYTES = 8 << 30


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a job beside its tensors."""

    seed: int
    fold: int
    history: list[Trained]
    temperatures: dict[str, Temperature]
    choices: dict[str, Choice]
    seconds: float
    processor: str


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Write an outcome, whole or not at all.

    Raises:
        SerError: it cannot be written.
    """
    about = _About(
        outcome.seed,
        outcome.fold,
        list(outcome.history),
        dict(outcome.temperatures),
        dict(outcome.choices),
        outcome.seconds,
        outcome.processor,
    )
    tensors: Tensors = {"about": np.frombuffer(msgspec.json.encode(about), dtype=np.uint8)}
    for corpus, prediction in outcome.predictions.items():
        tensors[f"predicted/{corpus}"] = prediction.predicted
        if prediction.probabilities is not None:
            tensors[f"probabilities/{corpus}"] = prediction.probabilities
        if prediction.uncalibrated is not None:
            tensors[f"uncalibrated/{corpus}"] = prediction.uncalibrated
    for member, state in enumerate(outcome.weights):
        tensors |= {f"weights/{member}/{name}": value for name, value in state.items()}
    try:
        data = save(tensors)

        def write(partial: Path) -> None:
            with partial.open("wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)

        atomic_write(path, write)
    except (OSError, SafetensorError) as error:
        raise SerError(f"{path}: the finished run cannot be kept: {error}") from error


def load_outcome(path: Path, job: Job, labels: Mapping[str, Sequence[str]]) -> Outcome | None:
    """The outcome of a job that was saved; None if there is none, or its file is damaged.

    Args:
        labels: by corpus.
    """
    try:
        data = read_regular(path, MOST_BYTES)
        if hashlib.sha256(data[SUM:]).digest() != data[:SUM]:
            return None
        tensors = load(data[SUM:])
        about = parse_json(tensors.pop("about").tobytes(), _About, path.name)
        predictions = {
            corpus: _prediction(tensors, job, corpus, len(labels[corpus]))
            for corpus in corpora_tested(job.splits)
        }
        weights = [_weights(tensors, member, job) for member in range(job.members)]
        right = (about.seed, about.fold) == job.place and len(about.history) == job.members
        calibrated = set(corpora_trained(job.splits)) if job.calibrated else set()
        chosen = set() if job.baseline is None else set(predictions)
        right = right and about.choices.keys() == chosen
        if tensors or not right or about.temperatures.keys() != calibrated:
            return None
        return Outcome(
            *job.place,
            predictions,
            weights,
            about.history,
            about.temperatures,
            about.choices,
            about.seconds,
            about.processor,
        )
    except (OSError, SafetensorError, SerError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _prediction(tensors: Tensors, job: Job, corpus: str, labels: int) -> Prediction:
    split, probabilities, uncalibrated = job.splits[corpus], None, None
    predicted = tensors.pop(f"predicted/{corpus}")
    right = (predicted.shape, predicted.dtype) == ((len(split.test),), np.dtype(np.int64))
    right = right and bool(((predicted >= 0) & (predicted < labels)).all())
    if job.config is not None:
        probabilities = tensors.pop(f"probabilities/{corpus}")
        form = (probabilities.shape, probabilities.dtype)
        right = right and form == ((len(split.test), labels), np.dtype(np.float32))
        right = right and bool(np.isfinite(probabilities).all())
    if job.calibrated:
        uncalibrated = tensors.pop(f"uncalibrated/{corpus}")
        form = (uncalibrated.shape, uncalibrated.dtype)
        right = right and form == ((len(split.test),), np.dtype(np.float32))
        right = right and bool(np.isfinite(uncalibrated).all())
    if not right:
        raise ValueError(f"the predictions for {corpus} are not those of the job")
    return Prediction(split, predicted, probabilities, uncalibrated)


def _weights(tensors: Tensors, member: int, job: Job) -> Tensors:
    start = f"weights/{member}/"
    names = [name for name in tensors if name.startswith(start)]
    state = {name.removeprefix(start): tensors.pop(name) for name in names}
    if job.spec is not None:
        import torch

        from .states import check_state

        check_state(job.spec, {n: torch.from_numpy(value.copy()) for n, value in state.items()})
    return state
