"""Whether confidence means something: reliability diagrams."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..train.runs.confidence import UNCALIBRATED, confidence
from ..train.runs.report import decimal
from .chart import Chart, Table, Value, file_name
from .look import MARKERS, Look, blank, series_color
from .subject import Subject

BINS = 10
"""Of equal width, from 0 to 1."""

Bins = list[tuple[int, float, float]]
"""Utterances, mean confidence and share that is right, of every bin that has any."""


def reliability(subject: Subject, corpus: str) -> Chart | None:
    """Share of right answers by confidence, and where the run was calibrated also before; None of
    the baseline, which has no probabilities."""
    found = confidences(subject, corpus)
    if found is None:
        return None
    right, confidence, before = found
    series = {"confidence": _bins(confidence, right)}
    if before is not None:
        series = {"calibrated": series["confidence"], "before": _bins(before, right)}
    rows: list[list[Value]] = [
        [name, f"{decimal(low / BINS)}-{decimal((low + 1) / BINS)}", count, mean, share]
        for name, bins in series.items()
        for low, (count, mean, share) in bins.items()
    ]
    ece = subject.domain(corpus)["ece"]
    errors = ""
    if ece is not None and ece["after"] is None:
        errors = f" ECE {decimal(ece['before'])}, not calibrated."
    elif ece is not None and ece["after"] is not None:
        after, earlier = decimal(ece["after"]), decimal(ece["before"])
        errors = f" ECE {after}, before calibration {earlier}."
    return Chart(
        file_name("reliability", subject.letter, corpus),
        f"Reliability, {subject.on(corpus)}",
        "Share of right answers against confidence, the probability of the label that was told; on "
        f"the diagonal confidence means what it says.{errors}",
        Table(("series", "bin", "utterances", "mean confidence", "share right"), rows),
        partial(_draw, {name: list(bins.values()) for name, bins in series.items()}),
        of=subject.on(corpus),
    )


def confidences(
    subject: Subject, corpus: str
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64] | None] | None:
    """Of all test utterances of all repeats: whether the answer is right, its probability, and that
    before calibration, where there was one; None where there are no probabilities."""
    table = subject.run.predictions
    table = table[table["corpus"] == corpus]
    if not len(table) or (stated := confidence(table)) is None:
        return None
    before = table[UNCALIBRATED].to_numpy(float) if UNCALIBRATED in table else None
    return (table["predicted"] == table["truth"]).to_numpy(), stated, before


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[int, Any]:
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return {
        low: (int(chosen.sum()), float(confidence[chosen].mean()), float(right[chosen].mean()))
        for low in range(BINS)
        if (chosen := place == low).any()
    }


def _draw(series: dict[str, Bins], look: Look) -> Any:
    figure, axes = blank(2, height=3.6, sharex=True, height_ratios=(3, 1))
    above, below = axes[:, 0]
    above.plot([0, 1], [0, 1], color=look.soft, linewidth=0.7, linestyle=(0, (3, 2)))
    width = 0.8 / BINS / len(series)
    for number, (name, bins) in enumerate(series.items()):
        colour = series_color(look, number)
        above.plot(
            [mean for _, mean, _ in bins],
            [share for _, _, share in bins],
            marker=MARKERS[number],
            color=colour,
            linewidth=0.8,
            linestyle="-" if number == 0 else (0, (4, 1.5)),
            label=name,
            clip_on=False,
        )
        total = sum(count for count, _, _ in bins)
        at = [
            (min(int(mean * BINS), BINS - 1) + 0.5) / BINS
            + (number - (len(series) - 1) / 2) * width
            for _, mean, _ in bins
        ]
        hatch = "" if number == 0 else "////"
        counts = [count / total for count, _, _ in bins]
        below.bar(at, counts, width, color=colour, hatch=hatch, edgecolor=look.paper, linewidth=0)
    above.set(ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="confidence", ylabel="utterances", ylim=(0, None))
    below.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    for axis in (above, below):
        axis.grid()
        axis.set_axisbelow(True)
    if len(series) > 1:
        above.legend(loc="upper left")
    return figure
