"""Tables 3 and 4 of the paper: from run folders to rows, tests, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..train.metrics import interval_over_repeats, rate_interval
from ..train.runs.experiment import Experiment
from ..train.runs.report import bounds, decimal, interval_note, namesake_notes, speaker_note
from ..train.runs.results import LEAST_WIDTH
from .compare import all_pairs, compare
from .made import made_by, made_note, preset_of, processor_notes
from .plans import Order, rows_of
from .published import TABLE3, TABLE4, Printed, printed
from .results import Result

NAMES = {
    "svm": "SVM, one per corpus",
    "single": "single-domain, one per corpus",
    "base": "Base",
    "sb": "SB",
    "omoe": "OMoE",
    "mmoe": "MMoE",
    "ours": "Ours",
    "with": "with auxiliary loss",
    "without": "without auxiliary loss",
}
REFERENCE = {"table3": "ours", "table4": "with"}
"""The row to which the others are compared in the Markdown; the JSON has all pairs."""

PRINTED: Mapping[str, Printed] = {"table3": TABLE3, "table4": TABLE4}


def build_table(
    order: Order,
    experiments: Mapping[str, Experiment],
    results: Mapping[str, Result],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The table as plain values, from what all experiments came to.

    Args:
        notes: further ones to be put below it.
    """
    rows = rows_of({name: each.request for name, each in experiments.items()})
    metrics = {name: each.metrics for name, each in results.items()}
    ratio = _test_to_train(experiments)
    units = _units(order, experiments)
    predictions = {
        row: pd.concat(
            [
                table[table["corpus"] == corpus]
                for corpus, table in (
                    (corpus, results[name].table) for corpus, name in names.items()
                )
            ],
            ignore_index=True,
        )
        for row, names in rows.items()
    }
    found = []
    for row, names in rows.items():
        domains = {corpus: metrics[name]["domains"][corpus] for corpus, name in names.items()}
        found.append(
            {
                "row": row,
                "name": NAMES[row],
                "domains": {
                    corpus: {
                        **domain,
                        "printed": printed(PRINTED[order.what], row, corpus),
                    }
                    for corpus, domain in domains.items()
                },
                "mean": {
                    rate: _mean_over_corpora(list(domains.values()), rate, ratio)
                    for rate in ("ua", "wa")
                },
            }
        )
    tests = []
    for one, other in all_pairs(list(rows)):
        for scope in ("mean", *order.corpora):
            pair = [
                each if scope == "mean" else each[each["corpus"] == scope]
                for each in (predictions[one], predictions[other])
            ]
            result = compare(pair[0], pair[1], ratio, units)
            tests.append({"row": one, "than": other, "over": scope, **result.to_dict()})
    doubts = [note for each in metrics.values() for note in namesake_notes(each)]
    made = made_by({name: each.about for name, each in results.items()})
    return {
        "rows": found,
        "tests": tests,
        "made": made,
        "notes": [*dict.fromkeys(doubts), *notes, *processor_notes(made)],
    }


def _test_to_train(experiments: Mapping[str, Experiment]) -> float:
    splits = [each for e in experiments.values() for all in e.splits.values() for each in all]
    return sum(len(each.test) for each in splits) / sum(len(each.train) for each in splits)


def _units(
    order: Order, experiments: Mapping[str, Experiment]
) -> dict[tuple[str, str], str] | None:
    """The speakers of all utterances, where the protocol holds speakers out."""
    if order.protocol != "speaker":
        return None
    return {
        (corpus, str(id)): str(speaker)
        for experiment in experiments.values()
        for corpus, manifest in experiment.manifests.items()
        for id, speaker in zip(manifest.table["id"], manifest.table["speaker"], strict=True)
    }


def _mean_over_corpora(
    domains: Sequence[Mapping[str, Any]], rate: str, ratio: float
) -> dict[str, Any]:
    """The mean over corpora in every repeat, and how sure the mean over repeats is.

    Where repeats are not what is sampled, the intervals of the corpora, which have no utterance in
    common, are combined as independent.
    """
    values = np.mean([each[rate]["values"] for each in domains], axis=0)
    mean = float(values.mean())
    interval = None
    if all(each["interval"] == "repeats" for each in domains):
        interval = interval_over_repeats(values.tolist(), ratio)
    elif all(each[rate]["ci95"] is not None for each in domains):
        # The longer side, for the other may end at 0 or 1.
        halves = [
            max(abs(bound - each[rate]["mean"]) for bound in each[rate]["ci95"]) for each in domains
        ]
        half = float(np.sqrt(np.square(halves).sum())) / len(domains)
        interval = rate_interval(mean, half)
    if interval is not None and interval[1] - interval[0] < LEAST_WIDTH:
        interval = None
    return {"mean": mean, "ci95": interval and list(interval), "values": values.tolist()}


def markdown(table: Mapping[str, Any]) -> str:
    """The table for people: UA with intervals, WA, the tests against one row, what it rests on."""
    corpora = table["corpora"]
    rows = table["rows"]
    repeats = f"{table['repeats']} repeat{'s' if table['repeats'] > 1 else ''}"
    lines = [
        f"UA on the test parts (95 % interval); features {', '.join(table['features'])}, "
        f"{preset_of(table)}, protocol `{table['protocol']}`, {repeats}.",
        "",
    ]
    lines += _grid(
        ["method", *corpora, "mean"],
        [
            [
                row["name"],
                *(_with_interval(row["domains"][corpus]["ua"]) for corpus in corpora),
                _with_interval(row["mean"]["ua"]),
            ]
            for row in rows
        ],
    )
    lines += ["", "WA:", ""]
    lines += _grid(
        ["method", *corpora, "mean"],
        [
            [
                row["name"],
                *(decimal(row["domains"][corpus]["wa"]["mean"]) for corpus in corpora),
                decimal(row["mean"]["wa"]["mean"]),
            ]
            for row in rows
        ],
    )
    lines += _printed(rows, corpora)
    lines += _tests(table)
    notes = [
        note
        for row in rows
        for domain in row["domains"].values()
        for note in (speaker_note(table["protocol"], domain), interval_note(domain))
    ]
    notes += [*_corpus_notes(rows), *table["notes"], made_note(table["made"])]
    lines += ["", *dict.fromkeys(notes), "", "```", table["command"], "```"]
    return "\n".join(lines) + "\n"


def _corpus_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the numbers of the corpora rest on; with its row, where that is not so in all rows."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for corpus, domain in row["domains"].items():
            for note in domain["notes"]:
                places.setdefault((corpus, note), []).append(row["name"])
    return [
        f"{corpus}: {note}" if len(names) == len(rows) else f"{corpus}, {'; '.join(names)}: {note}"
        for (corpus, note), names in places.items()
    ]


def _printed(rows: Sequence[Mapping[str, Any]], corpora: Sequence[str]) -> list[str]:
    """The paper's own numbers, for those corpora that are the paper's."""
    shown = [c for c in corpora if any(row["domains"][c]["printed"] for row in rows)]
    if not shown:
        return []
    cells = []
    for row in rows:
        numbers = [row["domains"][corpus]["printed"] for corpus in shown]
        if any(numbers):
            cells.append(
                [
                    row["name"],
                    *(f"{decimal(n['ua'])} / {decimal(n['wa'])}" if n else "-" for n in numbers),
                ]
            )
    head = (
        "UA / WA as the paper prints them (its five features, and its three corpora in one model):"
    )
    return ["", head, "", *_grid(["method", *shown], cells)]


def _tests(table: Mapping[str, Any]) -> list[str]:
    """The reference row against every other."""
    reference = REFERENCE[table["what"]]
    name = NAMES[reference]
    unit = "speakers" if table["protocol"] == "speaker" else "utterances"
    cells = []
    for row in table["rows"]:
        if row["row"] == reference:
            continue
        line = [f"{name} against {row['name']}"]
        for scope in (*table["corpora"], "mean"):
            found, sign = _find(table["tests"], reference, row["row"], scope)
            interval = "no interval"
            if found["ci95"] is not None:
                low, high = sorted(sign * bound for bound in found["ci95"])
                interval = f"{_signed(low)} to {_signed(high)}"
            p = f"p {_p(found['p_units'])}"
            p += f", {_p(found['p_repeats'])}" if found["p_repeats"] is not None else ""
            line.append(f"{_signed(sign * found['difference'])} ({interval}), {p}")
        cells.append(line)
    twice = any(each["p_repeats"] is not None for each in table["tests"])
    second = " and, second, by the corrected t test over repeats" if twice else ""
    return [
        "",
        "Differences in UA, paired on the same test utterances; p by the permutation test over "
        f"{unit}{second}, not corrected for their number:",
        "",
        *_grid(["", *table["corpora"], "mean"], cells),
    ]


def _find(
    tests: Sequence[Mapping[str, Any]], one: str, other: str, scope: str
) -> tuple[Mapping[str, Any], int]:
    """The comparison of two rows, and -1 if it is the other way round."""
    for each in tests:
        if each["over"] == scope and {each["row"], each["than"]} == {one, other}:
            return each, 1 if each["row"] == one else -1
    raise KeyError((one, other, scope))


def _with_interval(summary: Mapping[str, Any]) -> str:
    return f"{decimal(summary['mean'])} ({bounds(summary)})"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{decimal(abs(value))}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else decimal(value)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
