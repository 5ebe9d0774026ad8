"""Tables 3 and 4 of the paper: methods compared, as rows, paired tests and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from ..cache import Cache
from ..errors import InputError
from ..train.methods import methods_of
from ..train.metrics import interval_over_repeats, rate_interval
from ..train.runs.compare import all_pairs, compare
from ..train.runs.pairs import tested_over, units_of
from ..train.runs.report import bounds, decimal, interval_note, p_value, signed, speaker_note
from ..train.runs.request import Request
from ..train.runs.results import LEAST_WIDTH, CorpusMetrics
from .made import grid, page, provenance, settings_of
from .plan import Plan, Result, Results, one_corpus, several_corpora
from .published import TABLE3, TABLE4, Printed, printed


class Table(Plan):
    """Rows of methods, columns of corpora, and how sure their differences are.

    Attributes:
        rows: what the methods are called.
        reference: the row to which the others are compared in the Markdown; the JSON has all pairs.
        printed: the paper's own numbers.
    """

    rows: ClassVar[Mapping[str, str]]
    reference: ClassVar[str]
    printed: ClassVar[Printed]

    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        rows: dict[str, list[Result]] = {}
        for name, result in results.items():
            request = result.experiment.request
            alone = "" if request.setting == "multidomain" else f"-{request.corpora[0]}"
            rows.setdefault(name.removesuffix(alone), []).append(result)
        splits = [s for r in results.values() for of in r.experiment.splits.values() for s in of]
        ratio = sum(len(s.test) for s in splits) / sum(len(s.train) for s in splits)
        return {
            "rows": [
                self._row(row, of_row, ratio, {} if common.label_map else self.printed)
                for row, of_row in rows.items()
            ],
            "tests": _tests(common, rows, ratio),
            "over": _over(rows),
            **provenance(results),
        }

    def _row(
        self, row: str, results: Sequence[Result], ratio: float, numbers: Printed
    ) -> dict[str, Any]:
        """What a row says of every corpus, and of their mean, beside the printed numbers."""
        domains = {c: d for result in results for c, d in result.metrics["domains"].items()}
        metrics = list(domains.values())
        return {
            "row": row,
            "name": self.rows.get(row, row),
            "domains": {
                corpus: {**domain, "printed": printed(numbers, row, corpus)}
                for corpus, domain in domains.items()
            },
            "mean": {r: _mean_over_corpora(metrics, r, ratio) for r in ("ua", "wa")},
        }

    def markdown(self, values: Mapping[str, Any]) -> str:
        """UA with intervals, WA, the tests against one row, what it rests on."""
        corpora, rows = values["corpora"], values["rows"]
        lines = [
            f"UA on the test parts (95 % interval); features {', '.join(values['features'])}, "
            f"preset {settings_of(values)}"
        ]
        for title, rate in (("", "ua"), ("WA:", "wa")):
            cells = [
                [row["name"], *(_cell(e, rate) for e in (*row["domains"].values(), row["mean"]))]
                for row in rows
            ]
            lines += [*(["", title] if title else []), ""]
            lines += grid(["method", *corpora, "mean"], cells)
        lines += [*_printed(rows, corpora), *self._comparisons(values)]
        notes = [
            note
            for row in rows
            for domain in row["domains"].values()
            for note in (speaker_note(values["protocol"], domain), interval_note(domain))
        ]
        return page(lines, values, [*notes, *_corpus_notes(rows)])

    def _comparisons(self, values: Mapping[str, Any]) -> list[str]:
        """The reference row against every other."""
        tests = {(test["row"], test["than"], test["over"]): test for test in values["tests"]}
        cells = []
        for row in values["rows"]:
            if row["row"] == self.reference:
                continue
            line = [f"{self.rows[self.reference]} against {row['name']}"]
            for scope in (*values["corpora"], "mean"):
                test = tests.get((self.reference, row["row"], scope))
                sign = 1 if test else -1
                test = test or tests[row["row"], self.reference, scope]
                interval = "no interval"
                if test["ci95"] is not None:
                    low, high = sorted(sign * bound for bound in test["ci95"])
                    interval = f"{signed(low)} to {signed(high)}"
                found = (test["p_repeats"], test["p_units"])
                p = ", ".join(p_value(value) for value in found if value is not None)
                line.append(f"{signed(sign * test['difference'])} ({interval}), p {p}")
            cells.append(line)
        twice = any(test["p_repeats"] is not None for test in values["tests"])
        first = "the corrected t test over repeats and, second, by " if twice else ""
        return [
            "",
            f"Differences in UA, paired on the same test utterances; p by {first}the permutation "
            f"test over {values['over']}, not corrected for their number:",
            "",
            *grid(["", *values["corpora"], "mean"], cells),
        ]


class Table3(Table):
    """The methods for several corpora; beside them the single-domain models and the baseline."""

    name = "table3"
    fewest = 2
    rows = {  # noqa: RUF012
        "baseline": "baseline, one per corpus",
        "single": "single-domain, one per corpus",
        "base": "Base",
        "sb": "SB",
        "omoe": "OMoE",
        "mmoe": "MMoE",
        "ours": "Ours",
    }
    reference = "ours"
    printed = TABLE3

    def requests(self, common: Request) -> dict[str, Request]:
        requests = {
            f"{row}-{corpus}": one_corpus(common, setting, corpus)
            for corpus in common.corpora
            for row, setting in (("baseline", "baseline"), ("single", "single"))
        }
        several = methods_of("multidomain")
        return {**requests, **{name: several_corpora(common, name) for name in several}}


class Table4(Table):
    """The single-domain model with the paper's auxiliary loss and without."""

    name = "table4"
    rows = {"with": "with auxiliary loss", "without": "without auxiliary loss"}  # noqa: RUF012
    reference = "with"
    printed = TABLE4

    def requests(self, common: Request) -> dict[str, Request]:
        return auxiliary_loss(self.name, common)


def auxiliary_loss(name: str, common: Request) -> dict[str, Request]:
    """A single-domain model of each corpus with the auxiliary loss, `with-`, and `without-`.

    Raises:
        InputError: its weight is set already.
    """
    if any(change.startswith("train.alpha=") for change in common.config.changes):
        raise InputError(f"--set train.alpha: {name} sets it itself, to the paper's and to 0")
    return {
        f"{row}-{corpus}": one_corpus(common.changed(f"train.alpha={alpha}"), "single", corpus)
        for corpus in common.corpora
        for row, alpha in (("with", -1.0), ("without", 0.0))
    }


def _tests(
    common: Request, rows: Mapping[str, Sequence[Result]], ratio: float
) -> list[dict[str, Any]]:
    """All pairs of rows, over each corpus and over all."""
    tables: dict[str, dict[str, pd.DataFrame]] = {}
    units: dict[tuple[str, str], str] = {}
    over = _over(rows)
    for row, results in rows.items():
        table = pd.concat([result.run.predictions for result in results], ignore_index=True)
        tables[row] = {c: table[table["corpus"] == c] for c in common.corpora} | {"mean": table}
        if over != "utterances":
            for manifest in (m for r in results for m in r.experiment.manifests.values()):
                units |= units_of(manifest, common.protocol, over)
    return [
        {"row": one, "than": other, "over": scope}
        | asdict(compare(tables[one][scope], tables[other][scope], ratio, units or None))
        for one, other in all_pairs(list(tables))
        for scope in ("mean", *common.corpora)
    ]


def _over(rows: Mapping[str, Sequence[Result]]) -> str:
    """What is one unit in the tests."""
    results = [result for of_row in rows.values() for result in of_row]
    return tested_over(d for result in results for d in result.metrics["domains"].values())


def _mean_over_corpora(
    domains: Sequence[CorpusMetrics], rate: Literal["ua", "wa"], ratio: float
) -> dict[str, Any]:
    """The mean over corpora in every repeat, and how sure the mean over repeats is.

    Where repeats are not what is sampled, the intervals of the corpora, which have no utterance in
    common, are combined as independent.
    """
    rates = [domain[rate] for domain in domains]
    values = np.mean([of["values"] for of in rates], axis=0)
    mean = float(values.mean())
    interval = None
    if all(domain["interval"] == "repeats" for domain in domains):
        interval = interval_over_repeats(values.tolist(), ratio)
    elif all(of["ci95"] is not None for of in rates):
        # The longer side, for the other may end at 0 or 1.
        halves = [max(abs(bound - of["mean"]) for bound in of["ci95"] or ()) for of in rates]
        half = float(np.sqrt(np.square(halves).sum())) / len(domains)
        interval = rate_interval(mean, half)
    if interval is not None and interval[1] - interval[0] < LEAST_WIDTH:
        interval = None
    return {"mean": mean, "ci95": interval and list(interval), "values": values.tolist()}


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
    numbers = {row["name"]: [row["domains"][corpus]["printed"] for corpus in shown] for row in rows}
    cells = [
        [name, *(f"{decimal(n['ua'])} / {decimal(n['wa'])}" if n else "-" for n in of_row)]
        for name, of_row in numbers.items()
        if any(of_row)
    ]
    which = "its five features, and its three corpora in one model"
    head = f"UA / WA as the paper prints them ({which}):"
    return ["", head, "", *grid(["method", *shown], cells)]


def _cell(entry: Mapping[str, Any], rate: str) -> str:
    mean = decimal(entry[rate]["mean"])
    return f"{mean} ({bounds(entry[rate])})" if rate == "ua" else mean
