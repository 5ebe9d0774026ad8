"""Writing the folder of a run: enough to read its numbers and to build its models again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ...errors import SerError
from ...machine import cores
from ...manifests import Manifest, write_splits
from . import run
from .choices import CHOICES, choices_written
from .confidence import UNCALIBRATED
from .curves import Curves
from .experiment import Experiment
from .jobs import Outcome
from .run import checksum, split_name
from .software import software
from .temperatures import CALIBRATION, temperatures_written

DECIMALS = 6
"""Of probabilities in `predictions.csv`."""


def write_run(folder: Path, experiment: Experiment, outcomes: Sequence[Outcome]) -> None:
    """Write a run into `folder`, and last what made it and a hash of every file.

    Args:
        outcomes: of all jobs, in the order of repeats and folds.

    Raises:
        SerError: it cannot be written.
    """
    predictions = predictions_of(outcomes, experiment.manifests)
    seconds = {"jobs": [round(outcome.seconds, 3) for outcome in outcomes]}
    try:
        write_json(folder / run.CONFIG, msgspec.to_builtins(experiment.record))
        write_json(folder / run.METRICS, experiment.metrics(predictions, seconds))
        csv = folder / run.PREDICTIONS
        predictions.to_csv(csv, index=False, lineterminator="\n", float_format=f"%.{DECIMALS}f")
        if any(outcome.weights for outcome in outcomes):
            save_file(_weights(outcomes), folder / run.MODEL)
            curves = [
                Curves(outcome.seed, outcome.fold, list(outcome.history)) for outcome in outcomes
            ]
            write_json(folder / run.HISTORY, msgspec.to_builtins(curves))
        if experiment.record.calibrated:
            temperatures = {(each.seed, each.fold): each.temperatures for each in outcomes}
            write_json(folder / CALIBRATION, temperatures_written(temperatures))
        if experiment.record.baseline is not None:
            choices = {(each.seed, each.fold): each.choices for each in outcomes}
            write_json(folder / CHOICES, choices_written(choices))
        structure = mean_structure(outcomes)
        if any(structure.values()):
            write_json(folder / run.STRUCTURE, structure)
        for corpus, manifest in experiment.manifests.items():
            name = split_name(corpus, len(experiment.manifests))
            write_splits(folder / name, manifest, experiment.splits[corpus])
        about = {
            **software(),
            "platform": platform.platform(),
            "processors": sorted({outcome.processor for outcome in outcomes}),
            "cores": cores(),
            "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / run.VERSIONS, about | {"sha256": checksum(about)})
    except (OSError, SafetensorError) as error:
        raise SerError(f"the run could not be written to {folder.parent}: {error}") from error


def _weights(outcomes: Sequence[Outcome]) -> dict[str, NDArray[Any]]:
    """Of all networks, by their names in the file."""
    from .states import model_prefix

    return {
        model_prefix(outcome.seed, outcome.fold, member) + name: value
        for outcome in outcomes
        for member, state in enumerate(outcome.weights)
        for name, value in state.items()
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mean_structure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """By corpus, what `structure` says, averaged over the models that were tested on it; those of
    each are in history."""
    structures = [trained.structure for outcome in outcomes for trained in outcome.history]
    return {
        corpus: _mean([structure[corpus] for structure in structures if corpus in structure])
        for corpus in dict.fromkeys(corpus for structure in structures for corpus in structure)
    }


def _mean(values: Sequence[Any]) -> Any:
    """Mean of numbers that lie at the same places of nested dicts and lists."""
    if isinstance(values[0], Mapping):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    if isinstance(values[0], list):
        return [_mean(column) for column in zip(*values, strict=True)]
    return sum(values) / len(values)


def predictions_of(outcomes: Sequence[Outcome], manifests: Mapping[str, Manifest]) -> pd.DataFrame:
    """One row per corpus, repeat and test utterance, with the probability of every emotion."""
    frames = []
    for outcome in outcomes:
        for corpus, prediction in outcome.predictions.items():
            emotions = manifests[corpus].table.set_index("id")["emotion"]
            labels, ids = np.array(manifests[corpus].labels), list(prediction.split.test)
            columns: dict[str, Any] = {"corpus": corpus, "repeat": outcome.seed}
            columns |= {"fold": outcome.fold, "id": ids, "truth": emotions[ids].to_numpy()}
            columns["predicted"] = labels[prediction.predicted]
            if prediction.uncalibrated is not None:
                columns[UNCALIBRATED] = _as_written(prediction.uncalibrated)
            if prediction.probabilities is not None:
                names = [f"p_{label}" for label in labels]
                columns |= dict(zip(names, _as_written(prediction.probabilities).T, strict=True))
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _as_written(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """To the decimals of the file, so that metrics are those of the predictions that it has."""
    return probabilities.astype(np.float64).round(DECIMALS)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, UTF-8, with a final line end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
