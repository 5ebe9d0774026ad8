"""Finished runs of experiments that are not finished: a file each, so that none is done twice.

A file is the SHA-256 of all that follows, then tensors in the format of safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..errors import InputError, SerError
from ..files import atomic_path, read_regular
from ..train.network.spec import ModelSpec
from ..train.runs.folds import corpora_tested
from ..train.runs.jobs import Job, Outcome, Prediction
from ..train.runs.run_folder import parse_json
from ..train.runs.states import check_state
from .structures import check_structure

SUM = hashlib.sha256().digest_size
MOST_BYTES = 8 << 30


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Write an outcome, whole or not at all.

    Raises:
        SerError: it cannot be written.
    """
    about = {
        "seed": outcome.seed,
        "fold": outcome.fold,
        "history": list(outcome.history),
        "seconds": outcome.seconds,
        "processor": outcome.processor,
    }
    tensors: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    }
    for corpus, each in outcome.predictions.items():
        tensors[f"predicted/{corpus}"] = each.predicted
        if each.probabilities is not None:
            tensors[f"probabilities/{corpus}"] = each.probabilities
    for member, state in enumerate(outcome.weights):
        tensors |= {f"weights/{member}/{name}": value for name, value in state.items()}
    try:
        data = save(tensors)
        with atomic_path(path) as partial, partial.open("wb") as file:
            file.write(hashlib.sha256(data).digest())
            file.write(data)
    except (OSError, SafetensorError) as error:
        raise SerError(f"{path}: the finished run cannot be kept: {error}") from error


def load_outcome(
    path: Path, job: Job, spec: ModelSpec | None, labels: Mapping[str, Sequence[str]]
) -> Outcome | None:
    """The outcome of a job that was saved; None if there is none, or its file is damaged.

    Args:
        spec: of the job's model, if it has one.
        labels: by corpus.
    """
    try:
        data = read_regular(path, MOST_BYTES)
        if hashlib.sha256(data[SUM:]).digest() != data[:SUM]:
            return None
        tensors = load(data[SUM:])
        about = parse_json(tensors.pop("about").tobytes())
        predictions = {
            corpus: _prediction(tensors, job, corpus, len(labels[corpus]))
            for corpus in corpora_tested(job.splits)
        }
        members = job.config.train.members if job.config else 0
        weights = [_weights(tensors, member, spec) for member in range(members)]
        history = about["history"]
        if tensors or (about["seed"], about["fold"]) != job.place or len(history) != members:
            return None
        for member in history:
            for corpus in predictions:
                check_structure(member["structure"][corpus], job.features)
        seconds, processor = float(about["seconds"]), str(about["processor"])
        return Outcome(*job.place, predictions, weights, history, seconds, processor)
    except (OSError, SafetensorError, InputError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _prediction(tensors: dict[str, NDArray[Any]], job: Job, corpus: str, labels: int) -> Prediction:
    split = job.splits[corpus]
    predicted = tensors.pop(f"predicted/{corpus}")
    probabilities = tensors.pop(f"probabilities/{corpus}", None)
    right = predicted.shape == (len(split.test),) and predicted.dtype == np.int64
    right = right and bool(((predicted >= 0) & (predicted < labels)).all())
    if (probabilities is None) != (job.config is None):
        right = False
    if probabilities is not None:
        right = right and probabilities.shape == (len(split.test), labels)
        right = right and probabilities.dtype == np.float32
        right = right and bool(np.isfinite(probabilities).all())
    if not right:
        raise ValueError(f"the predictions for {corpus} are not those of the job")
    return Prediction(split, predicted, probabilities)


def _weights(
    tensors: dict[str, NDArray[Any]], member: int, spec: ModelSpec | None
) -> dict[str, NDArray[Any]]:
    start = f"weights/{member}/"
    names = [name for name in tensors if name.startswith(start)]
    state = {name.removeprefix(start): tensors.pop(name) for name in names}
    if spec is not None:
        check_state(spec, {name: torch.from_numpy(value.copy()) for name, value in state.items()})
    return state
