"""From the table of predictions to `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from ...manifests import Manifest, Split, counted_column, group_columns, is_folds, shared_speakers
from ..metrics import (
    RATES,
    IntArray,
    confusion_matrix,
    interval_over_repeats,
    interval_over_units,
    interval_over_utterances,
    recalls,
)
from .confidence import CalibrationError, calibration_error
from .notes import left_out, notes_on_splits
from .whole import note_on_others

if TYPE_CHECKING:
    import pandas as pd

LEAST_WIDTH = 1e-9
"""Of an interval: none at all says that what was sampled came out alike, not that it is sure."""


Kind = Literal["speakers", "groups", "repeats", "utterances"]


class Rate(TypedDict):
    """A recognition rate over repeats; fractions, not per cent."""

    mean: float
    std: float | None
    ci95: list[float] | None
    values: list[float]


class CorpusMetrics(TypedDict):
    """The entry of one corpus in `metrics.json`; further `RATES` are beside UA and WA.

    `n_test` is of one repeat, `confusion` of all; `folds` are of one repeat; `speakers_shared` are
    test speakers of a split that are in its training part too, at most, None if the speakers are
    not known; `heard` is what audio of the test speakers the inputs are standardised by, see
    `Encoding`; `ece` is None of the baseline, which has no probabilities.
    """

    language: str
    labels: list[str]
    n_test: int
    speakers_shared: int | None
    heard: str
    ua: Rate
    wa: Rate
    interval: Kind
    ece: CalibrationError | None
    recall: dict[str, float | None]
    confusion: list[list[int]]
    notes: list[str]
    folds: NotRequired[int]


class TrainedOn(TypedDict):
    """A corpus that was trained on and not tested."""

    language: str
    labels: list[str]
    utterances: int


class Metrics(TypedDict):
    """The content of `metrics.json`.

    `domains` are the corpora that were tested; `trained` is there where others were trained on.
    """

    setting: str
    method: str
    features: list[str]
    protocol: str
    preset: str | None
    changes: list[str]
    repeats: int
    namesakes: list[str]
    domains: dict[str, CorpusMetrics]
    seconds: dict[str, Any]
    trained: NotRequired[dict[str, TrainedOn]]


def corpus_metrics(
    predictions: pd.DataFrame,
    manifest: Manifest,
    splits: Sequence[Split],
    skipped: int = 0,
    heard: str = "",
    others: Mapping[str, int] | None = None,
    said: Sequence[str] = (),
) -> CorpusMetrics:
    """What the predictions for one corpus come to.

    A repeat is all its folds: their predictions are pooled before UA is taken.

    Args:
        predictions: a row for each test utterance of each repeat, with the columns `repeat`, `id`,
            `truth` and `predicted`, and of a network those of the probabilities.
        manifest: of the utterances that were used.
        splits: of all repeats and folds.
        skipped: utterances that were left out.
        heard: see `Encoding`.
        others: the emotions of those among them that no corpus has which was trained on, and how
            many have them.
        said: what else must be known beside the numbers, such as of the method: sentences.
    """
    position = {label: number for number, label in enumerate(manifest.labels)}
    repeats = [rows.sort_values("id") for _, rows in predictions.groupby("repeat")]
    pairs: list[tuple[IntArray, IntArray]] = [
        (np.asarray(rows["truth"].map(position)), np.asarray(rows["predicted"].map(position)))
        for rows in repeats
    ]
    confusions = [confusion_matrix(*pair, len(position)) for pair in pairs]
    values = {name: [rate(counts) for counts in confusions] for name, rate in RATES.items()}
    shared = None
    if all(manifest.table["speaker"]):
        shared = max(shared_speakers(manifest, split) for split in splits)
    held_out: tuple[Kind, list[str]] | None = None
    if all(list(rows["id"]) == list(repeats[0]["id"]) for rows in repeats):
        held_out = _held_out(manifest, splits[0].protocol, shared, list(repeats[0]["id"]))
    kind, intervals = _intervals(held_out, splits[0], pairs, confusions, values)
    tested = len(repeats[0])
    others = others or {}
    notes = [*said]
    notes += left_out(len(manifest), skipped - sum(others.values()))
    notes += [*note_on_others(others), *notes_on_splits(manifest, splits)]
    if none := [n.upper() for n, (low, high) in intervals.items() if high - low < LEAST_WIDTH]:
        notes.append(f"No interval of {' and '.join(none)}: {no_interval(kind, tested)}.")
    recall = np.array([recalls(counts) for counts in confusions])
    rates = {name: _summary(values[name], intervals[name]) for name in RATES}
    found = {
        "language": manifest.language,
        "labels": list(manifest.labels),
        "n_test": tested,
        "speakers_shared": shared,
        "heard": heard,
        **rates,
        "interval": kind,
        "ece": calibration_error(predictions),
        "recall": {
            label: float(np.nanmean(column)) if not np.isnan(column).all() else None
            for label, column in zip(manifest.labels, recall.T, strict=True)
        },
        "confusion": np.sum(confusions, axis=0).tolist(),
        "notes": notes,
        "folds": len({split.fold for split in splits}),
    }
    return cast(CorpusMetrics, found)


def _held_out(
    manifest: Manifest, protocol: str, shared: int | None, ids: Sequence[str]
) -> tuple[Kind, list[str]] | None:
    """What was held out as a whole, and which of it every utterance belongs to, where a repeat is
    folds: speakers if no test speaker was in training, else the groups of the protocol."""
    unheard = protocol == "speaker" or shared == 0
    if not is_folds(protocol) or not (unheard or group_columns(protocol)):
        return None
    kind = "speakers" if unheard else "groups"
    column = "speaker" if unheard else counted_column(manifest, protocol)
    value = dict(zip(manifest.ids, map(str, manifest.table[column]), strict=True))
    units = [value[id] for id in ids]
    return (cast(Kind, kind), units) if len(set(units)) > 1 else None


def _intervals(
    held_out: tuple[Kind, Sequence[str]] | None,
    split: Split,
    pairs: Sequence[tuple[IntArray, IntArray]],
    confusions: Sequence[IntArray],
    values: Mapping[str, Sequence[float]],
) -> tuple[Kind, dict[str, tuple[float, float]]]:
    """How sure the rates are: over speakers or groups where whole ones were held out, else over
    repeats, or with a single repeat over its utterances."""
    if held_out is not None:
        kind, units = held_out

        def mean_rate(name: str, chosen: NDArray[np.bool_]) -> float:
            # Every repeat tests every utterance, so one mask fits all of them.
            counts = [
                confusion_matrix(truth[chosen], predicted[chosen], len(confusions[0]))
                for truth, predicted in pairs
            ]
            return float(np.mean([RATES[name](of_repeat) for of_repeat in counts]))

        return kind, {n: interval_over_units(units, partial(mean_rate, n)) for n in RATES}
    if len(pairs) > 1 and split.train:
        ratio = len(split.test) / len(split.train)
        return "repeats", {n: interval_over_repeats(rates, ratio) for n, rates in values.items()}
    counts = confusions[0]
    return "utterances", {n: interval_over_utterances(counts, rate) for n, rate in RATES.items()}


def no_interval(kind: str, tested: int) -> str:
    """Why an interval has no width."""
    if kind == "utterances":
        return f"{tested} test utterances, all of a class alike"
    return f"all {kind} came out alike"


def _summary(values: Sequence[float], interval: tuple[float, float]) -> Rate:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "ci95": list(interval) if interval[1] - interval[0] >= LEAST_WIDTH else None,
        "values": list(values),
    }
