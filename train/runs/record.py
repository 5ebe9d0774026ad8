"""Writing the folder of a run: enough to read its numbers and to build its models again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ...errors import SerError
from ...machine import cores
from ...manifests import Manifest, Split, write_splits
from .jobs import Domains, Outcome
from .run_folder import (
    CONFIG,
    HISTORY,
    METRICS,
    MODEL,
    PREDICTIONS,
    STRUCTURE,
    VERSIONS,
    checksum,
    model_prefix,
    split_name,
)
from .software import software


def write_run(
    folder: Path,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    domains: Domains,
    outcomes: Sequence[Outcome],
    manifests: Mapping[str, Manifest],
    splits: Mapping[str, Sequence[Split]],
) -> None:
    """Write a run into `folder`, and last what made it and a hash of every file.

    Args:
        outcomes: in the order of repeats and folds.
        manifests, splits: by corpus.

    Raises:
        SerError: it cannot be written.
    """
    try:
        write_json(folder / CONFIG, config)
        write_json(folder / METRICS, metrics)
        frame = predictions(domains, outcomes)
        frame.to_csv(folder / PREDICTIONS, index=False, lineterminator="\n", float_format="%.6f")
        weights = {
            model_prefix(outcome.seed, outcome.fold, member) + name: value
            for outcome in outcomes
            for member, state in enumerate(outcome.weights)
            for name, value in state.items()
        }
        if weights:
            save_file(weights, folder / MODEL)
            curves = [
                {"repeat": each.seed, "fold": each.fold, "members": list(each.history)}
                for each in outcomes
            ]
            write_json(folder / HISTORY, curves)
        structure = mean_structure(outcomes)
        if any(structure.values()):
            write_json(folder / STRUCTURE, structure)
        for corpus, each in splits.items():
            write_splits(folder / split_name(corpus, len(splits)), manifests[corpus], each)
        about = {
            **software(),
            "platform": platform.platform(),
            "processors": sorted({each.processor for each in outcomes}),
            "cores": cores(),
            "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
        }
        write_json(folder / VERSIONS, about | {"sha256": checksum(about)})
    except (OSError, SafetensorError) as error:
        raise SerError(f"the run could not be written to {folder.parent}: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mean_structure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """By corpus, what `structure` says, averaged over the models that were tested on it; those of
    each are in history."""
    models = [member["structure"] for each in outcomes for member in each.history]
    return {
        corpus: _mean([each[corpus] for each in models if corpus in each])
        for corpus in dict.fromkeys(corpus for each in models for corpus in each)
    }


def _mean(values: Sequence[Any]) -> Any:
    """Mean of numbers that lie at the same places of nested dicts and lists."""
    if isinstance(values[0], Mapping):
        return {name: _mean([each[name] for each in values]) for name in values[0]}
    if isinstance(values[0], list):
        return [_mean(each) for each in zip(*values, strict=True)]
    return sum(values) / len(values)


def predictions(domains: Domains, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row per corpus, repeat and test utterance, with the probability of every emotion."""
    frames = []
    for outcome in outcomes:
        for corpus, each in outcome.predictions.items():
            domain = domains[corpus]
            truth = domain.truth(domain.rows(each.split.test)).numpy()
            frame = pd.DataFrame(
                {
                    "corpus": corpus,
                    "repeat": outcome.seed,
                    "fold": outcome.fold,
                    "id": each.split.test,
                    "truth": [domain.labels[label] for label in truth],
                    "predicted": [domain.labels[label] for label in each.predicted],
                }
            )
            if each.probabilities is not None:
                for column, label in enumerate(domain.labels):
                    frame[f"p_{label}"] = each.probabilities[:, column]
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, UTF-8, with a final line end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
