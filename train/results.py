"""From the outcomes of all splits to `metrics.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import Domain
from .jobs import Outcome
from .metrics import (
    confusion_matrix,
    interval_over_repeats,
    interval_over_utterances,
    recalls,
    unweighted_accuracy,
    weighted_accuracy,
)


def domain_metrics(domain: Domain, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The entry of one corpus in `metrics.json`; fractions, not per cent.

    A repeat is all its folds: their predictions are pooled before UA is taken. The interval is
    Student's t over repeats, or with a single repeat the bootstrap over its utterances.
    """
    classes = len(domain.labels)
    repeats = [_pooled(domain, folds) for folds in _by_repeat(outcomes).values()]
    confusions = [confusion_matrix(truth, predicted, classes) for truth, predicted in repeats]
    values = {
        "ua": [unweighted_accuracy(confusion) for confusion in confusions],
        "wa": [weighted_accuracy(confusion) for confusion in confusions],
    }
    if len(repeats) > 1:
        intervals = {name: interval_over_repeats(each) for name, each in values.items()}
    else:
        intervals = interval_over_utterances(*repeats[0], classes)
    recall = np.array([recalls(each) for each in confusions])
    return {
        "language": domain.language,
        "labels": list(domain.labels),
        "n_test": len(repeats[0][0]),
        **{name: _summary(each, intervals[name]) for name, each in values.items()},
        "recall": {
            label: float(np.nanmean(column)) if not np.isnan(column).all() else None
            for label, column in zip(domain.labels, recall.T, strict=True)
        },
        "confusion": np.sum(confusions, axis=0).tolist(),
    }


def _summary(values: Sequence[float], interval: tuple[float, float]) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "ci95": list(interval),
        "values": list(values),
    }


def _by_repeat(outcomes: Sequence[Outcome]) -> Mapping[int, list[Outcome]]:
    repeats: defaultdict[int, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda each: (each.split.seed, each.split.fold)):
        repeats[outcome.split.seed].append(outcome)
    return repeats


def _pooled(
    domain: Domain, folds: Sequence[Outcome]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    truth = [domain.targets[domain.rows(each.split.test)].cpu().numpy() for each in folds]
    return np.concatenate(truth), np.concatenate([each.predicted for each in folds])
