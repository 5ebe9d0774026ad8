"""From the predictions of all splits to `metrics.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import Domain
from ..metrics import (
    confusion_matrix,
    interval_over_repeats,
    interval_over_speakers,
    interval_over_utterances,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)
from .jobs import Prediction

LEAST_WIDTH = 1e-9
"""Of an interval: none at all says that what was sampled came out alike, not that it is sure."""

RATES = {"ua": unweighted_accuracy, "wa": weighted_accuracy}


def domain_metrics(
    domain: Domain,
    predictions: Sequence[Prediction],
    speakers_shared: int | None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The entry of one corpus in `metrics.json`; fractions, not per cent.

    A repeat is all its folds: their predictions are pooled before UA is taken.

    Args:
        predictions: of all repeats and folds.
        speakers_shared: test speakers of a split that are in its training part too, at most; None
            if the speakers are not known.
        notes: what else the numbers rest on; what makes an interval impossible is added.
    """
    classes = len(domain.labels)
    repeats = [_pooled(domain, folds) for folds in _by_repeat(predictions).values()]
    confusions = [confusion_matrix(truth, predicted, classes) for _, truth, predicted in repeats]
    values = {name: [rate(each) for each in confusions] for name, rate in RATES.items()}
    kind, intervals = _intervals(domain, predictions, repeats, confusions, values)
    recall = np.array([recalls(each) for each in confusions])
    tested = len(repeats[0][0])
    none = [name.upper() for name, (low, high) in intervals.items() if high - low < LEAST_WIDTH]
    if none:
        notes = [*notes, f"No interval of {' and '.join(none)}: {no_interval(kind, tested)}."]
    return {
        "language": domain.language,
        "labels": list(domain.labels),
        "n_test": tested,
        "speakers_shared": speakers_shared,
        **{name: _summary(each, intervals[name]) for name, each in values.items()},
        "interval": kind,
        "recall": {
            label: float(np.nanmean(column)) if not np.isnan(column).all() else None
            for label, column in zip(domain.labels, recall.T, strict=True)
        },
        "confusion": np.sum(confusions, axis=0).tolist(),
        "notes": list(notes),
    }


Repeat = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Rows of the domain that were tested, their true labels, their predicted labels."""


def _intervals(
    domain: Domain,
    predictions: Sequence[Prediction],
    repeats: Sequence[Repeat],
    confusions: Sequence[NDArray[np.int64]],
    values: Mapping[str, Sequence[float]],
) -> tuple[str, dict[str, tuple[float, float]]]:
    """How sure the rates are: over speakers where whole speakers were held out, else over repeats,
    or with a single repeat over its utterances."""
    split = predictions[0].split
    speakers = [domain.speakers[row] for row in repeats[0][0]]
    if split.protocol == "speaker" and len(set(speakers)) > 1:

        def mean_rate(name: str, chosen: NDArray[np.bool_]) -> float:
            # Every repeat tests every utterance, so one mask fits all of them.
            found = [
                confusion_matrix(truth[chosen], predicted[chosen], len(domain.labels))
                for _, truth, predicted in repeats
            ]
            return float(np.mean([RATES[name](each) for each in found]))

        return "speakers", {
            name: interval_over_speakers(speakers, partial(mean_rate, name)) for name in RATES
        }
    if len(repeats) > 1:
        ratio = len(split.test) / len(split.train)
        return "repeats", {
            name: interval_over_repeats(each, ratio) for name, each in values.items()
        }
    return "utterances", {
        name: interval_over_utterances(confusions[0], rate) for name, rate in RATES.items()
    }


def no_interval(kind: str, tested: int) -> str:
    """Why an interval has no width."""
    if kind == "utterances":
        return f"{tested} test utterances, all of a class alike"
    return f"all {kind} came out alike"


def _summary(values: Sequence[float], interval: tuple[float, float]) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "ci95": list(interval) if interval[1] - interval[0] >= LEAST_WIDTH else None,
        "values": list(values),
    }


def _by_repeat(predictions: Sequence[Prediction]) -> Mapping[int, list[Prediction]]:
    repeats: defaultdict[int, list[Prediction]] = defaultdict(list)
    for each in sorted(predictions, key=lambda each: (each.split.seed, each.split.fold)):
        repeats[each.split.seed].append(each)
    return repeats


def _pooled(domain: Domain, folds: Sequence[Prediction]) -> Repeat:
    """The folds of one repeat, in the order of the domain's rows."""
    rows = np.concatenate([domain.rows(each.split.test).numpy() for each in folds])
    predicted = np.concatenate([each.predicted for each in folds])
    order = np.argsort(rows)
    return rows[order], domain.truth(torch.from_numpy(rows[order])).numpy(), predicted[order]
