"""A recording's emotions over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .chart import KINDS, write_figure
from .look import WIDTH, Look, needed, series_color, short

_MOST = 400
"""Steps of a figure; of more windows, each step is the mean of several."""


@dataclass(frozen=True, eq=False)
class Track:
    """The windows of a recording.

    Attributes:
        start, end: seconds, (windows,).
        speech: share of each window in which somebody speaks, (windows,).
        probabilities: (windows, labels); NaN where there is no answer.
        labels: of the columns.
        title: the recording's name.
        least: the share of speech from which on there are answers.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    speech: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    labels: Sequence[str]
    title: str
    least: float


def check_plot(path: Path) -> None:
    """Check that a figure of this name can be drawn.

    Raises:
        InputError: the name is of no kind of figure.
        MissingPackageError: matplotlib is not installed.
    """
    if path.suffix.lower() not in KINDS:
        raise InputError(f"--plot {path}: expected a name in {', '.join(KINDS)}")
    needed("matplotlib")


def write_track(track: Track, path: Path) -> None:
    """Draw a track, two columns of a paper wide, as SVG, PDF or PNG by the suffix of the file.

    Raises:
        OSError: it cannot be written.
        MissingPackageError: matplotlib is not installed.
    """
    write_figure(partial(_draw, track), path)


def _draw(track: Track, look: Look) -> Any:
    """The probabilities upon each other, and below them where somebody speaks."""
    figure = import_module("matplotlib.figure").Figure((2 * WIDTH, 2.6), layout="constrained")
    above, below = figure.subplots(2, height_ratios=(5, 1), sharex=True)
    edges, shares, speech = _steps(track)
    tops = np.cumsum(shares, axis=1)
    for number, label in enumerate(track.labels):
        above.stairs(
            tops[:, number],
            edges,
            baseline=tops[:, number] - shares[:, number],
            fill=True,
            facecolor=series_color(look, number),
            edgecolor=look.paper,
            linewidth=0.3 if len(speech) < _MOST / 3 else 0,
            label=short(label),
        )
    above.set(ylim=(0, 1), ylabel="probability", title=short(track.title, 60))
    # In the order of the areas, so that colour is not all that tells them apart.
    above.legend(loc="center left", bbox_to_anchor=(1, 0.5), reverse=True, handlelength=1)
    below.stairs(speech, edges, fill=True, facecolor=look.soft, linewidth=0)
    below.axhline(track.least, color=look.ink, linewidth=0.6, linestyle=":")
    below.set(ylim=(0, 1), yticks=(0, 1), ylabel="speech", xlabel="time, min:s")
    below.set_xlim(track.start[0], track.end[-1])
    _tell_time(below)
    return figure


def _steps(track: Track) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where steps begin and the last one ends, around the centres of windows, (steps + 1,); and of
    each the mean of the probabilities, (steps, labels), NaN where there are none, and of the
    speech, (steps,)."""
    places = np.arange(0, len(track.start), -(-len(track.start) // _MOST))
    counts = np.diff(np.append(places, len(track.start)))
    answered = np.isfinite(track.probabilities[:, 0])
    known = np.add.reduceat(answered.astype(float), places)[:, None]
    sums = np.add.reduceat(np.nan_to_num(track.probabilities), places)
    shares = np.divide(sums, known, where=known > 0, out=np.full_like(sums, np.nan))
    centres = (track.start + track.end) / 2
    between = (centres[1:] + centres[:-1]) / 2
    edges = np.array([track.start[0], *between[places[1:] - 1], track.end[-1]])
    return edges, shares, np.add.reduceat(track.speech, places) / counts


def _tell_time(axis: Any) -> None:
    """Ticks at round times, as minutes and seconds, or hours where there are some."""
    ticker = import_module("matplotlib.ticker")
    low, high = axis.get_xlim()
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((each for each in steps if (high - low) / each <= 10), 7200)
    axis.xaxis.set_major_locator(ticker.MultipleLocator(step))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda seconds, _: minutes(seconds)))


def minutes(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some.

    >>> minutes(75), minutes(3725)
    ('1:15', '1:02:05')
    """
    total = round(seconds)
    hours, rest = divmod(total, 3600)
    start = f"{hours}:{rest // 60:02}" if hours else f"{rest // 60}"
    return f"{start}:{rest % 60:02}"
