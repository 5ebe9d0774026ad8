"""How features are fused: weights of the gates beside each feature alone, open connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..train.runs.report import decimal
from .chart import Chart, Table, Value, file_name
from .figures_rates import draw_cells, matrix
from .look import HATCHES, Look, blank, series_color, short
from .subject import Subject

Gates = Mapping[str, Mapping[str, float]]
"""By corpus, the mean weight of every feature."""

Alone = Mapping[str, Mapping[str, float]]
"""By corpus, the UA of every feature alone, as far as it is known."""


def gates(subject: Subject, shown: Sequence[Subject]) -> Chart | None:
    """Mean weights of the gates; beside them the UA of every feature alone, where the runs that are
    shown have single-domain models of one feature. None of methods without gates."""
    weights = {corpus: each.gate for corpus, each in subject.fusion.items() if each.gate}
    if not weights:
        return None
    alone = _alone(subject, shown, list(weights))
    rows: list[list[Value]] = [
        [corpus, feature, weight, alone.get(corpus, {}).get(feature)]
        for corpus, of_corpus in weights.items()
        for feature, weight in of_corpus.items()
    ]
    said = "; ".join(
        f"{corpus}: " + ", ".join(f"{name} {decimal(weight)}" for name, weight in of.items())
        for corpus, of in weights.items()
    )
    of = f", {subject.label}" if subject.letter else ""
    return Chart(
        file_name("gates", subject.letter),
        f"Weights of the gates{of}",
        f"Mean weight that the gates give every feature on the test parts. {said}.",
        Table(("corpus", "feature", "gate weight", "UA of the feature alone"), rows),
        partial(draw_gates, subject.metrics["features"], weights, alone),
        of=subject.label if subject.letter else "",
    )


def _alone(
    beside: Subject, shown: Sequence[Subject], corpora: Sequence[str]
) -> dict[str, dict[str, float]]:
    """UA of single features, by corpus, among the runs of the same protocol."""
    found: dict[str, dict[str, float]] = {}
    for subject in shown:
        metrics = subject.metrics
        same = metrics["protocol"] == beside.metrics["protocol"]
        if same and metrics["setting"] == "single" and len(metrics["features"]) == 1:
            for corpus in subject.corpora:
                if corpus in corpora:
                    ua = subject.domain(corpus)["ua"]["mean"]
                    found.setdefault(corpus, {}).setdefault(metrics["features"][0], ua)
    return found


def draw_gates(
    features: Sequence[str],
    weights: Gates,
    alone: Alone,
    look: Look,
    open_connections: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Any:
    """Bars by corpus: UA of each feature alone, where any is known, above its gate weight.

    Args:
        open_connections: below these, how far every connection of the search is open, by corpus.
    """
    panels = [("mean gate weight", weights)]
    if any(alone.values()):
        panels.insert(0, ("UA of one feature alone", alone))
    rows = len(panels) + (1 if open_connections else 0)
    figure, axes = blank(rows, height=1.75 * rows + 0.4)
    places, width = np.arange(len(weights)), 0.8 / len(features)
    for axis, (title, values) in zip(axes[: len(panels), 0], panels, strict=True):
        for number, feature in enumerate(features):
            at = places + (number - (len(features) - 1) / 2) * width
            heights = [values.get(corpus, {}).get(feature, np.nan) for corpus in weights]
            axis.bar(
                at,
                heights,
                width * 0.9,
                label=short(feature, 20),
                color=series_color(look, number),
                hatch=HATCHES[number % len(HATCHES)],
                edgecolor=look.paper,
                linewidth=0,
            )
        axis.set(ylabel=title, xlim=(-0.5, len(weights) - 0.5), xticks=places)
        axis.set_xticklabels([short(corpus) for corpus in weights])
        axis.tick_params("x", length=0)
        axis.grid(axis="y")
        axis.set_axisbelow(True)
    if open_connections:
        below = axes[-1, 0].get_subplotspec().subgridspec(1, len(open_connections))
        axes[-1, 0].remove()
        for number, (corpus, shares) in enumerate(open_connections.items()):
            axis = figure.add_subplot(below[0, number])
            draw_cells(axis, shares, [""] * len(features) if number else features, features, look)
            axis.set_title(short(corpus), fontsize="small")
            axis.set_ylabel("" if number else "kept connections")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(len(features), 4))
    return figure


def connections(subject: Subject, corpus: str) -> Chart | None:
    """Which connections the architecture search left open for a corpus; None where nothing was
    searched."""
    found = subject.fusion.get(corpus)
    if found is None or not found.connections:
        return None
    names = list(subject.metrics["features"])
    rows: list[list[Value]] = [
        [name, *map(float, row)] for name, row in zip(names, found.connections, strict=True)
    ]
    values = [value for row in found.connections for value in row]
    return Chart(
        file_name("structure", subject.letter, corpus),
        f"Structure found, {subject.on(corpus)}",
        "How far every connection of the architecture search is open, 0 to 1, mean over the "
        f"networks: from {decimal(min(values))} to {decimal(max(values))}.",
        Table(("output", *(f"from {name}" for name in names)), rows),
        partial(_draw_connections, found.connections, names),
        of=subject.on(corpus),
    )


def _draw_connections(values: Sequence[Sequence[float]], names: Sequence[str], look: Look) -> Any:
    return matrix(values, names, names, "input: representation of", "output", look, percent=False)
