"""What a finished experiment came to: from its predictions, which are all that is believed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..train.runs.experiment import Experiment
from ..train.runs.jobs import Domains, Prediction
from ..train.runs.run_folder import PREDICTIONS, STRUCTURE, SavedRun, reason
from ..train.runs.train import experiment_metrics
from .structures import check_structure

COLUMNS = ("corpus", "repeat", "fold", "id", "truth", "predicted")
"""Of predictions. A corpus may be called 2023, an utterance NA."""


@dataclass(frozen=True)
class Result:
    """A finished experiment.

    Attributes:
        metrics: as in `metrics.json`, but for the seconds.
        table: a row for every test utterance of every repeat, with `COLUMNS`.
        structure: by corpus, as `structure.json` has it; None without one.
        about: what made it, see `versions.json`.
    """

    metrics: Mapping[str, Any]
    table: pd.DataFrame
    structure: Mapping[str, Any] | None
    about: Mapping[str, Any]


def read_result(folder: Path, experiment: Experiment, domains: Domains) -> Result:
    """Read the run folder of an experiment.

    Raises:
        InputError: it is damaged, or is not of this experiment.
    """
    try:
        run = SavedRun.open(folder)
        table = pd.read_csv(
            io.BytesIO(run.read(PREDICTIONS)),
            usecols=list(COLUMNS),
            dtype=str,
            keep_default_na=False,
        )
        predictions = {
            corpus: _predictions(table, experiment, corpus, domains[corpus].labels)
            for corpus in experiment.manifests
        }
        tested = sum(len(each.predicted) for found in predictions.values() for each in found)
        if tested != len(table):
            raise ValueError(f"{PREDICTIONS} has {len(table)} rows, expected {tested}")
        structure = None
        if STRUCTURE in run.sums:
            structure = run.json(STRUCTURE)
            for corpus in experiment.manifests:
                check_structure(structure[corpus], experiment.request.features)
        metrics = experiment_metrics(experiment, domains, predictions)
        table["repeat"] = table["repeat"].astype(int)
        return Result(metrics, table, structure, run.about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}: is not the run that belongs there: {reason(error)}; remove it, or say "
            "--overwrite, to have it trained anew"
        ) from None


def _predictions(
    table: pd.DataFrame, experiment: Experiment, corpus: str, labels: tuple[str, ...]
) -> list[Prediction]:
    """Those of a corpus, checked against its splits and labels."""
    manifest = experiment.manifests[corpus]
    emotion = dict(zip(manifest.ids, manifest.table["emotion"], strict=True))
    position = {label: number for number, label in enumerate(labels)}
    own = table[table["corpus"] == corpus]
    places = {
        place: group for place, group in own.groupby(["repeat", "fold"], sort=False) if len(group)
    }
    found = []
    for split in experiment.splits[corpus]:
        group = places.get((str(split.seed), str(split.fold)))
        if group is None or tuple(group["id"]) != split.test:
            raise ValueError(f"{PREDICTIONS} has other test utterances of {corpus} than its splits")
        if list(group["truth"]) != [emotion[id] for id in split.test]:
            raise ValueError(f"{PREDICTIONS} has other emotions of {corpus} than its manifest")
        if not set(group["predicted"]) <= position.keys():
            raise ValueError(f"{PREDICTIONS} has emotions that {corpus} does not have")
        predicted = np.array([position[label] for label in group["predicted"]], dtype=np.int64)
        found.append(Prediction(split, predicted))
    return found
