"""Tables 3 and 4 of the paper: methods compared, as rows, paired tests and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from ..cache import Cache
from ..errors import InputError
from ..train.methods import METHODS
from ..train.metrics import interval_over_repeats, rate_interval
from ..train.runs.report import bounds, decimal, interval_note, speaker_note
from ..train.runs.request import Request
from ..train.runs.results import LEAST_WIDTH, CorpusMetrics
from .compare import all_pairs, compare
from .made import footer, grid, made_by, notes_of, settings_of
from .plan import Plan, Results, one_corpus, several_corpora
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
        """The table as plain values."""
        experiments = self._experiments(results)
        splits = [
            split
            for result in results.values()
            for splits in result.experiment.splits.values()
            for split in splits
        ]
        ratio = sum(len(s.test) for s in splits) / sum(len(s.train) for s in splits)
        rows = []
        for row, names in experiments.items():
            domains = {
                corpus: results[name].metrics["domains"][corpus] for corpus, name in names.items()
            }
            rows.append(
                {
                    "row": row,
                    "name": self.rows.get(row, row),
                    "domains": {
                        corpus: {**domain, "printed": printed(self.printed, row, corpus)}
                        for corpus, domain in domains.items()
                    },
                    "mean": {
                        rate: _mean_over_corpora(list(domains.values()), rate, ratio)
                        for rate in ("ua", "wa")
                    },
                }
            )
        return {
            "rows": rows,
            "tests": self._tests(common, experiments, results, ratio),
            "made": made_by(results),
            "notes": notes_of(results),
        }

    def _experiments(self, results: Results) -> dict[str, dict[str, str]]:
        """By row and corpus the name of the experiment."""
        rows: dict[str, dict[str, str]] = {}
        for name, result in results.items():
            corpora = list(result.experiment.manifests)
            several = result.experiment.request.setting == "multidomain"
            row = name if several else name.removesuffix(f"-{corpora[0]}")
            rows.setdefault(row, {}).update(dict.fromkeys(corpora, name))
        return rows

    def _tests(
        self,
        common: Request,
        experiments: Mapping[str, Mapping[str, str]],
        results: Results,
        ratio: float,
    ) -> list[dict[str, Any]]:
        """All pairs of rows, over each corpus and over all."""
        predictions = {}
        for row, names in experiments.items():
            tables = [results[name].run.predictions for name in dict.fromkeys(names.values())]
            predictions[row] = pd.concat(tables, ignore_index=True)
        units = _speakers(results) if common.protocol == "speaker" else None
        tests = []
        for one, other in all_pairs(list(experiments)):
            for scope in ("mean", *common.corpora):
                pair = [
                    table if scope == "mean" else table[table["corpus"] == scope]
                    for table in (predictions[one], predictions[other])
                ]
                result = compare(pair[0], pair[1], ratio, units)
                tests.append({"row": one, "than": other, "over": scope, **result.to_dict()})
        return tests

    def markdown(self, values: Mapping[str, Any]) -> str:
        """UA with intervals, WA, the tests against one row, what it rests on."""
        corpora, rows = values["corpora"], values["rows"]
        lines = [
            f"UA on the test parts (95 % interval); features {', '.join(values['features'])}, "
            f"{settings_of(values)}"
        ]
        for title, rate in (("", "ua"), ("WA:", "wa")):
            cells = [
                [
                    row["name"],
                    *(_cell(row["domains"][corpus], rate) for corpus in corpora),
                    _cell(row["mean"], rate),
                ]
                for row in rows
            ]
            lines += [*(["", title] if title else []), ""]
            lines += grid(["method", *corpora, "mean"], cells)
        lines += _printed(rows, corpora)
        lines += self._comparisons(values)
        notes = [
            note
            for row in rows
            for domain in row["domains"].values()
            for note in (speaker_note(values["protocol"], domain), interval_note(domain))
        ]
        notes = list(dict.fromkeys([*notes, *_corpus_notes(rows), *values["notes"]]))
        return "\n".join([*lines, *footer({**values, "notes": notes})]) + "\n"

    def _comparisons(self, values: Mapping[str, Any]) -> list[str]:
        """The reference row against every other."""
        reference, name = self.reference, self.rows[self.reference]
        unit = "speakers" if values["protocol"] == "speaker" else "utterances"
        cells = []
        for row in values["rows"]:
            if row["row"] == reference:
                continue
            line = [f"{name} against {row['name']}"]
            for scope in (*values["corpora"], "mean"):
                test, sign = _find(values["tests"], reference, row["row"], scope)
                interval = "no interval"
                if test["ci95"] is not None:
                    low, high = sorted(sign * bound for bound in test["ci95"])
                    interval = f"{_signed(low)} to {_signed(high)}"
                p = f"p {_p(test['p_units'])}"
                p += f", {_p(test['p_repeats'])}" if test["p_repeats"] is not None else ""
                line.append(f"{_signed(sign * test['difference'])} ({interval}), {p}")
            cells.append(line)
        twice = any(test["p_repeats"] is not None for test in values["tests"])
        second = " and, second, by the corrected t test over repeats" if twice else ""
        return [
            "",
            "Differences in UA, paired on the same test utterances; p by the permutation test over "
            f"{unit}{second}, not corrected for their number:",
            "",
            *grid(["", *values["corpora"], "mean"], cells),
        ]


class Table3(Table):
    """The methods for several corpora; beside them the single-domain models and the SVM."""

    name = "table3"
    summary = "the methods for several corpora, single-domain models, the SVM"
    fewest = 2
    rows = {  # noqa: RUF012
        "svm": "SVM, one per corpus",
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
        requests = {}
        for corpus in common.corpora:
            requests[f"svm-{corpus}"] = one_corpus(common, "baseline", corpus)
            requests[f"single-{corpus}"] = one_corpus(common, "single", corpus)
        several = [name for name, method in METHODS.items() if method.setting == "multidomain"]
        return {**requests, **{name: several_corpora(common, name) for name in several}}


class Table4(Table):
    """The single-domain model with the paper's auxiliary loss and without."""

    name = "table4"
    summary = "single-domain models with and without the auxiliary loss"
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


def _speakers(results: Results) -> dict[tuple[str, str], str]:
    """The speakers of all utterances, by corpus and id."""
    return {
        (corpus, str(id)): str(speaker)
        for result in results.values()
        for corpus, manifest in result.experiment.manifests.items()
        for id, speaker in zip(manifest.table["id"], manifest.table["speaker"], strict=True)
    }


def _mean_over_corpora(
    domains: Sequence[CorpusMetrics], rate: Literal["ua", "wa"], ratio: float
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
            max(abs(bound - each[rate]["mean"]) for bound in each[rate]["ci95"] or ())
            for each in domains
        ]
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
    return ["", head, "", *grid(["method", *shown], cells)]


def _find(
    tests: Sequence[Mapping[str, Any]], one: str, other: str, scope: str
) -> tuple[Mapping[str, Any], int]:
    """The comparison of two rows, and -1 if it is the other way round."""
    for each in tests:
        if each["over"] == scope and {each["row"], each["than"]} == {one, other}:
            return each, 1 if each["row"] == one else -1
    raise KeyError((one, other, scope))


def _cell(entry: Mapping[str, Any], rate: str) -> str:
    mean = decimal(entry[rate]["mean"])
    return f"{mean} ({bounds(entry[rate])})" if rate == "ua" else mean


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{decimal(abs(value))}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else decimal(value)
