"""How often emotions are recognised: rates, recall per class, confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any, Literal

from ..train.runs.report import bounds, decimal
from .chart import Chart, Table, Value, file_name
from .look import MARKERS, TURN, Look, blank, series_color, short
from .subject import MOST_LABELS, Subject, one_line

ROW = 0.19
"""Inches of a line of text."""


def rates(shown: Sequence[Subject]) -> Chart:
    """UA of every run and corpus with its interval, and what guessing comes to."""
    corpora = list(dict.fromkeys(corpus for subject in shown for corpus in subject.corpora))
    lines = [
        (corpus, subject.number, subject)
        for corpus in corpora
        for subject in shown
        if corpus in subject.corpora
    ]
    rows: list[list[Value]] = []
    for corpus, _, subject in lines:
        domain = subject.domain(corpus)
        ua, wa = domain["ua"], domain["wa"]
        low, high = ua["ci95"] or (None, None)
        rows.append([corpus, subject.label, ua["mean"], low, high, wa["mean"]])
    said = "; ".join(
        f"{subject.label} on {corpus} {decimal(subject.domain(corpus)['ua']['mean'])} "
        f"({bounds(subject.domain(corpus)['ua'])})"
        for corpus, _, subject in lines
    )
    head = ("corpus", "model", "UA", "95 % from", "95 % to", "WA")
    return Chart(
        "rates",
        "UA on the test parts, with 95 % intervals",
        f"UA with its 95 % interval: {said}.",
        Table(head, rows),
        partial(_draw_rates, lines),
        of="UA with 95 % intervals",
    )


def _draw_rates(lines: Sequence[tuple[str, int, Subject]], look: Look) -> Any:
    several = len({number for _, number, _ in lines}) > 1
    figure, axes = blank(height=0.75 + ROW * len(lines) * (1 if several else 1.2))
    axis = axes[0, 0]
    names, above = [], ""
    for place, (corpus, number, subject) in enumerate(lines):
        domain = subject.domain(corpus)
        mean, ends = domain["ua"]["mean"], domain["ua"]["ci95"]
        colour = series_color(look, number)
        if ends:
            axis.plot(ends, [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
        marker = MARKERS[number % len(MARKERS)]
        axis.plot(mean, place, marker, color=colour, clip_on=False)
        chance = 1 / len(domain["labels"])
        axis.plot(chance, place, "|", color=look.soft, markersize=7)
        names.append(subject.label if corpus == above and several else _named(corpus, subject))
        if above and corpus != above:
            axis.axhline(place - 0.5, color=look.line, linewidth=0.5)
        above = corpus
    axis.set(
        yticks=range(len(lines)),
        yticklabels=[short(name, 26) for name in names],
        xlim=(0, 1),
        ylim=(len(lines) - 0.4, -0.6),
        xlabel="UA; | is what guessing comes to",
    )
    axis.tick_params("y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    return figure


def _named(corpus: str, subject: Subject) -> str:
    return f"{corpus}  {subject.label}" if subject.letter else corpus


def recall(shown: Sequence[Subject], corpus: str) -> Chart:
    """Recall of every emotion of a corpus, of all runs."""
    shown = [subject for subject in shown if corpus in subject.corpora]
    labels = list(dict.fromkeys(label for each in shown for label in each.domain(corpus)["labels"]))
    rows: list[list[Value]] = [
        [one_line(label), *(each.domain(corpus)["recall"].get(label) for each in shown)]
        for label in labels
    ]
    said = "; ".join(
        f"{subject.label}: " + ", ".join(f"{row[0]} {_rate(row[place])}" for row in rows)
        for place, subject in enumerate(shown, 1)
    )
    return Chart(
        file_name("recall", corpus),
        f"Recall per class, {corpus}",
        f"Recall of every emotion, mean over repeats. {said}.",
        Table(("emotion", *(subject.label for subject in shown)), rows),
        partial(_draw_recall, shown, rows),
        of=corpus,
    )


def _rate(value: Value) -> str:
    return decimal(value) if isinstance(value, float) else "-"


def _draw_recall(shown: Sequence[Subject], rows: Sequence[Sequence[Value]], look: Look) -> Any:
    count, named = len(shown), bool(shown[0].letter)
    figure, axes = blank(height=0.65 + (ROW + 0.05 * (count - 1)) * len(rows) + ROW * named)
    axis = axes[0, 0]
    step = min(0.7 / count, 0.22)
    for number, subject in enumerate(shown):
        values = [row[number + 1] for row in rows]
        places = [n + (number - (count - 1) / 2) * step for n in range(len(rows))]
        known = [(v, p) for v, p in zip(values, places, strict=True) if isinstance(v, float)]
        colour = series_color(look, subject.number)
        for value, place in known:
            axis.plot([0, value], [place, place], color=look.line, linewidth=0.8, zorder=1)
        axis.plot(
            [value for value, _ in known],
            [place for _, place in known],
            MARKERS[subject.number % len(MARKERS)],
            color=colour,
            label=subject.label,
            clip_on=False,
        )
    axis.set(
        yticks=range(len(rows)),
        yticklabels=[short(str(row[0])) for row in rows],
        xlim=(0, 1),
        ylim=(len(rows) - 0.4, -0.6),
        xlabel="recall",
    )
    axis.tick_params("y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    if named:
        figure.legend(loc="outside upper left", ncols=min(count, 3), handletextpad=0.2)
    return figure


def confusion(subject: Subject, corpus: str) -> Chart | None:
    """Share of every emotion that is recognised as each; None where there are too many."""
    domain = subject.domain(corpus)
    labels, counts = [one_line(label) for label in domain["labels"]], domain["confusion"]
    if len(labels) > MOST_LABELS:
        return None
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    rows: list[list[Value]] = [[label, *row] for label, row in zip(labels, counts, strict=True)]
    wrong = max(
        ((shares[i][j], i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j),
        default=(0.0, 0, 0),
    )
    most = ""
    if wrong[0]:
        most = (
            f" The most frequent confusion: {100 * wrong[0]:.0f} % of {labels[wrong[1]]} is taken "
            f"for {labels[wrong[2]]}."
        )
    return Chart(
        file_name("confusion", subject.letter, corpus),
        f"Confusion matrix, {subject.on(corpus)}",
        "Rows: the true emotion; columns: what it was recognised as, in per cent of the row."
        + most,
        Table(("true emotion", *labels), rows),
        partial(matrix, shares, labels, labels, "recognised as", "true emotion"),
        of=subject.on(corpus),
    )


Numbers = Literal["percent", "decimal", ""]
"""In which form cells have theirs, if they have any."""


def matrix(
    shares: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    below: str,
    beside: str,
    look: Look,
    percent: bool = True,
) -> Any:
    """A figure of cells of 0 to 1 with their numbers, where these fit."""
    cells = max(len(rows), len(columns))
    figure, axes = blank(height=3.35 if cells > 3 else 2.4)
    axis = axes[0, 0]
    numbers: Numbers = "" if cells > 12 else "percent" if percent else "decimal"
    draw_cells(axis, shares, rows, columns, look, numbers)
    axis.set(xlabel=below, ylabel=beside)
    return figure


def draw_cells(
    axis: Any,
    shares: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    look: Look,
    numbers: Numbers = "",
) -> None:
    """Draw cells of 0 to 1."""
    rectangle = import_module("matplotlib.patches").Rectangle
    cells = max(len(rows), len(columns))
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            share = min(max(share, 0.0), 1.0)
            cell = rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=look.heat, alpha=share)
            axis.add_patch(cell)
            text = f"{100 * share:.0f}" if numbers == "percent" else decimal(share)
            if numbers and (text != "0" or numbers == "decimal"):
                colour = look.high if share >= TURN else look.low
                axis.text(j, i, text, color=colour, ha="center", va="center", fontsize=7)
    for place in range(len(rows) + 1):
        axis.axhline(place - 0.5, color=look.line, linewidth=0.4)
    for place in range(len(columns) + 1):
        axis.axvline(place - 0.5, color=look.line, linewidth=0.4)
    axis.set(
        xticks=range(len(columns)),
        yticks=range(len(rows)),
        xlim=(-0.5, len(columns) - 0.5),
        ylim=(len(rows) - 0.5, -0.5),
        aspect="equal",
    )
    size = {} if cells <= 12 else {"fontsize": 5}
    axis.set_xticklabels([short(name, 12) for name in columns], rotation=45, ha="right", **size)
    axis.set_yticklabels([short(name, 12) for name in rows], **size)
    axis.tick_params(length=0, pad=2)
    for spine in axis.spines.values():
        spine.set_visible(False)
