"""Recordings in `ser predict`: an answer for every window, and a figure of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .options import GivenPath, Option, together
from .targets import check_target

if TYPE_CHECKING:
    from ..progress import Progress
    from ..recognizer import Recognizer
    from ..recognizer.forms import Form
    from ..recognizer.sources import Source, Sources

track_options: Option = together(
    click.option(
        "--window", type=float, metavar="S", help="Of long recordings: answer for windows [3]."
    ),
    click.option("--hop", type=float, metavar="S", help="From one window to the next [1]."),
    click.option(
        "--speech", type=float, metavar="P", help="The least share of speech for an answer [.3]."
    ),
    click.option(
        "--plot",
        type=GivenPath(path_type=Path),
        help="Draw the windows of a recording: .svg, .pdf or .png.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the file of --plot."),
)
"""Any of them asks for windows, but `--overwrite`."""

_Told = tuple[float, float, float, Any]
"""Of a window: start, end, share of speech, probabilities or None."""


@dataclass(frozen=True)
class Tracks:
    """What the options ask for."""

    recognizer: Recognizer
    window: float
    hop: float
    speech: float
    plot: Path | None = None

    def each(
        self, text: Form, sources: Iterable[Source], progress: Progress | None
    ) -> Iterator[tuple[Source, Iterator[str]]]:
        """Every recording with what is told of it, a window at a time; drawn when the next one is
        asked for, by when what was told is safe."""
        for source in sources:
            told: list[_Told] = []
            yield source, self._lines(text, source, told, progress)
            if self.plot and told:
                self._draw(told, source.path.name, self.plot)

    def _lines(
        self, text: Form, source: Source, told: list[_Told], progress: Progress | None
    ) -> Iterator[str]:
        """What is told of a recording; raises what is wrong with it, after all before that."""
        for window in self.recognizer.track(source.path, self.window, self.hop, self.speech):
            if progress:
                progress.show(f"{source.name}: {window.end / 60:.1f} min")
            if self.plot:
                shares = window.answer and window.answer.probabilities
                told.append((window.start, window.end, window.speech, shares))
            yield text.line(source, window.answer, window)

    def _draw(self, told: Sequence[_Told], title: str, plot: Path) -> None:
        import numpy as np

        from ..report.track import Track, write_track

        labels = self.recognizer.labels
        start, end, speech, shares = zip(*told, strict=True)
        unknown = np.full(len(labels), np.nan)
        probabilities = np.array([unknown if each is None else each for each in shares])
        times = (np.array(start), np.array(end), np.array(speech))
        write_track(Track(*times, probabilities, labels, title, self.speech), plot)


def check_tracks(
    window: float | None,
    hop: float | None,
    speech: float | None,
    plot: Path | None,
    overwrite: bool,
    workers: int | None,
) -> dict[str, float] | None:
    """Window, hop and share of speech, where an option asks for windows; checked.

    Raises:
        InputError: there are no such windows, or no such figures, or a file is in their place.
        MissingPackageError: they cannot be drawn here.
        SerError: they cannot be written.
    """
    from ..recognizer.track import HOP, SPEECH, WINDOW, check_windows

    given = {"window": window, "hop": hop, "speech": speech}
    if plot is None and all(value is None for value in given.values()):
        return None
    defaults = {"window": WINDOW, "hop": HOP, "speech": SPEECH}
    asked = {
        name: default if (value := given[name]) is None else value
        for name, default in defaults.items()
    }
    check_windows(**asked)
    if workers:
        raise InputError(
            f"--workers {workers}: windows are told by this process alone, a recording after the "
            "other; leave it out"
        )
    if plot:
        from ..report.track import check_plot

        check_plot(plot)
        check_target("--plot", plot, overwrite)
    return asked


def check_one(plot: Path | None, sources: Sources) -> None:
    """Raise InputError for a figure of several recordings."""
    if plot and sources.count != 1:
        raise InputError(f"--plot {plot}: goes with one recording, not with {sources.count}")
