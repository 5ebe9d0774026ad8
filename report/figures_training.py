"""Learning curves."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..train.runs.report import decimal
from .chart import Chart, Table, Value, file_name
from .look import DASHES, Look, blank, series_color, short
from .subject import Subject

Curve = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Of every epoch: mean, lowest and highest over the networks that were trained so long."""


def curves(subject: Subject) -> Chart | None:
    """Loss and validation UA of every epoch; None of the baseline."""
    trained = [member for each in subject.run.history for member in each.members]
    if not trained or not trained[0].loss:
        return None
    loss = _summary([member.loss for member in trained])
    rates = {
        corpus: _summary([m.validation_ua[corpus] for m in trained if corpus in m.validation_ua])
        for corpus in subject.run.config.corpora
        if any(corpus in member.validation_ua for member in trained)
    }
    rows: list[list[Value]] = [
        [epoch + 1, float(loss[0][epoch]), *(_at(rate[0], epoch) for rate in rates.values())]
        for epoch in range(len(loss[0]))
    ]
    ends = ", ".join(f"{corpus} {decimal(float(rate[0][-1]))}" for corpus, rate in rates.items())
    of = f", {subject.label}" if subject.letter else ""
    return Chart(
        file_name("curves", subject.letter),
        f"Learning curves{of}",
        f"Training loss and validation UA by epoch, mean and range over {len(trained)} networks. "
        f"Loss {loss[0][0]:.3f} to {loss[0][-1]:.3f}; validation UA in the last epoch: {ends}.",
        Table(("epoch", "loss", *(f"validation UA, {corpus}" for corpus in rates)), rows),
        partial(_draw, loss, rates),
        of=subject.label if subject.letter else "",
    )


def _at(values: NDArray[np.float64], epoch: int) -> Value:
    return float(values[epoch]) if epoch < len(values) else None


def _summary(values: list[list[float]]) -> Curve:
    longest = max(map(len, values))
    table = np.full((len(values), longest), np.nan)
    for row, each in zip(table, values, strict=True):
        row[: len(each)] = each
    return np.nanmean(table, 0), np.nanmin(table, 0), np.nanmax(table, 0)


def _draw(loss: Curve, rates: dict[str, Curve], look: Look) -> Any:
    figure, axes = blank(2, height=3.3, sharex=True)
    above, below = axes[:, 0]
    epochs = np.arange(1, len(loss[0]) + 1)
    above.fill_between(epochs, loss[1], loss[2], color=look.soft, alpha=0.2, linewidth=0)
    above.plot(epochs, loss[0], color=look.ink)
    above.set(ylabel="training loss", ylim=(0, None) if loss[1].min() >= 0 else None)
    for number, (corpus, rate) in enumerate(rates.items()):
        colour, epochs = series_color(look, number), np.arange(1, len(rate[0]) + 1)
        below.fill_between(epochs, rate[1], rate[2], color=colour, alpha=0.15, linewidth=0)
        dashes = DASHES[number % len(DASHES)]
        below.plot(epochs, rate[0], color=colour, linestyle=dashes, label=short(corpus))
    below.set(xlabel="epoch", ylabel="validation UA", ylim=(0, 1))
    for axis in (above, below):
        axis.grid(axis="y")
        axis.set_axisbelow(True)
    if len(rates) > 1:
        figure.legend(loc="outside upper left", ncols=min(len(rates), 3))
    return figure
