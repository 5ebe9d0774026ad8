"""Finished runs of experiments that are not finished: a file each, so that none is done twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import SerError
from ..files import atomic_path
from ..train.jobs import Job, Outcome, Prediction


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Write an outcome, whole or not at all.

    Raises:
        SerError: it cannot be written.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for corpus, each in outcome.predictions.items():
        tensors[f"predicted/{corpus}"] = each.predicted
        if each.probabilities is not None:
            tensors[f"probabilities/{corpus}"] = each.probabilities
    for member, state in enumerate(outcome.weights):
        tensors |= {f"weights/{member}/{name}": value for name, value in state.items()}
    about = {
        "seed": outcome.seed,
        "fold": outcome.fold,
        "history": list(outcome.history),
        "seconds": outcome.seconds,
    }
    try:
        with atomic_path(path) as partial:
            save_file(tensors, partial, metadata={"outcome": json.dumps(about)})
    except (OSError, SafetensorError) as error:
        raise SerError(f"{path}: the finished run cannot be kept: {error}") from error


def load_outcome(path: Path, job: Job) -> Outcome | None:
    """The outcome of a job that was saved; None if there is none, or its file is damaged."""
    try:
        with safe_open(path, "np") as file:
            about = json.loads(file.metadata()["outcome"])
            tensors: Mapping[str, NDArray[Any]] = {
                name: file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118
            }
        predictions = {
            corpus: Prediction(
                split, tensors[f"predicted/{corpus}"], tensors.get(f"probabilities/{corpus}")
            )
            for corpus, split in job.splits.items()
        }
        states: list[dict[str, NDArray[Any]]] = [{} for _ in about["history"]]
        for name, value in tensors.items():
            if name.startswith("weights/"):
                _, member, parameter = name.split("/", 2)
                states[int(member)][parameter] = value
        return Outcome(
            about["seed"], about["fold"], predictions, states, about["history"], about["seconds"]
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError):
        return None
