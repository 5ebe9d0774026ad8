"""A run that is shown: what its folder says, checked, because a stranger may have written it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ..errors import InputError
from ..progress import plain
from ..train.runs.results import CorpusMetrics, Metrics
from ..train.runs.run import METRICS, STRUCTURE, Run

MOST_LABELS = 40
"""Emotions of a corpus that can be drawn."""


class Fusion(msgspec.Struct, frozen=True):
    """How a corpus' features are fused, as `structure.json` has it.

    Attributes:
        gate: mean weight by feature, in the order of the features.
        connections: (features, features), open from 0 to 1; row = output, column = input.
    """

    gate: dict[str, float] = {}
    connections: list[list[float]] = []


@dataclass(frozen=True)
class Subject:
    """A run that is shown, among others or alone.

    Attributes:
        letter: what it is called in figures; blank where it is alone.
        metrics: as in `metrics.json`, and possible.
    """

    run: Run
    letter: str
    metrics: Metrics

    @property
    def number(self) -> int:
        """By which its colour and marker are chosen, the same in all figures."""
        return ord(self.letter) - ord("A") if self.letter else 0

    @property
    def name(self) -> str:
        """Of its folder."""
        return one_line(os.path.basename(os.path.abspath(self.run.folder)))  # noqa: PTH100, PTH119

    @property
    def is_network(self) -> bool:
        """Or a baseline, of which no model is kept."""
        return self.run.config.settings is not None

    @property
    def model(self) -> str:
        """The method, in a word."""
        method = one_line(self.metrics["method"])
        return "SVM" if method == "svm" else method

    @property
    def label(self) -> str:
        """For legends: `B ours`."""
        return f"{self.letter} {self.model}".strip()

    def on(self, corpus: str) -> str:
        """The run, where there are several, and the corpus."""
        return f"{self.label} on {corpus}" if self.letter else corpus

    @property
    def corpora(self) -> list[str]:
        """What it was tested on, and but for whole corpora trained for."""
        return list(self.metrics["domains"])

    @property
    def trained(self) -> list[str]:
        """The corpora that it was trained on."""
        return list(self.run.config.corpora)

    def domain(self, corpus: str) -> CorpusMetrics:
        """What it came to on a corpus."""
        return self.metrics["domains"][corpus]

    @cached_property
    def fusion(self) -> dict[str, Fusion]:
        """By corpus, where there is something to say.

        Raises:
            InputError: its `structure.json` is not as a run writes it.
        """
        names = list(self.metrics["features"])
        with reading(self.run):
            found = {
                corpus: msgspec.convert(said, Fusion)
                for corpus, said in self.run.structure.items()
                if corpus in self.corpora
            }
            for each in found.values():
                rows = each.connections
                if each.gate and list(each.gate) != names:
                    raise ValueError(f"{STRUCTURE} is not of these features")
                if rows and {len(rows), *map(len, rows)} != {len(names)}:
                    raise ValueError(f"{STRUCTURE} is not of these features")
        return {corpus: each for corpus, each in found.items() if each.gate or each.connections}


def subjects(runs: Sequence[Run]) -> list[Subject]:
    """Runs with the letters that they go by, where there are several.

    Raises:
        InputError: a folder is not as a run writes it, or there are too many.
    """
    if len(runs) > MOST_RUNS:
        raise InputError(f"{len(runs)} runs are too many for a page; {MOST_RUNS} at most")
    letters = [chr(ord("A") + n) if len(runs) > 1 else "" for n in range(len(runs))]
    return [Subject(run, letter, _metrics(run)) for run, letter in zip(runs, letters, strict=True)]


MOST_RUNS = 12


def one_line(text: str) -> str:
    """Text that a stranger may have written, as a name in a page or figure."""
    return " ".join(plain(text).split())


def _metrics(run: Run) -> Metrics:
    """The metrics of a run; raises InputError unless they are of its corpora, and possible."""
    metrics, config = run.metrics, run.config
    with reading(run):
        same = list(metrics["domains"]) == config.answered
        if not same or tuple(metrics["features"]) != config.features:
            raise ValueError(f"{METRICS} is not of the corpora and features of config.json")
        for corpus, domain in metrics["domains"].items():
            if not _possible(domain):
                raise ValueError(f"{METRICS}: what it says of {corpus} is impossible")
    return metrics


def _possible(domain: CorpusMetrics) -> bool:
    labels, counts = domain["labels"], domain["confusion"]
    shape = {len(counts), *map(len, counts)} == {len(labels)} and len(set(labels)) == len(labels)
    whole = all(0 <= count < 1e9 for row in counts for count in row)
    rates = [value for value in domain["recall"].values() if value is not None]
    for rate in (domain["ua"], domain["wa"]):
        ends = rate["ci95"] if rate["ci95"] is not None else [0.0, 1.0]
        rates += [rate["mean"], *rate["values"], *ends]
        shape = shape and len(ends) == 2
    if (ece := domain["ece"]) is not None:
        stated = (ece["before"], ece["after"], ece["by_chance"])
        rates += [value for value in stated if value is not None]
    fractions = all(math.isfinite(rate) and 0 <= rate <= 1 for rate in rates)
    return shape and whole and fractions and list(domain["recall"]) == labels


@contextmanager
def reading(run: Run) -> Iterator[None]:
    """Tell what is wrong with the files of a run as the user's business."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{run.folder}: {error}") from error
