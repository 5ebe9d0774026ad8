"""How figures look: sizes of a paper's column, colours that survive colour blindness and print."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import MissingPackageError, install_command

WIDTH = 3.4
"""Of a figure, in inches: one column of a paper of two."""

POINTS = 8
"""Of the text; ticks have one less."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "oooo", "----")
"""Colour is never all that tells two things apart."""

TURN = 0.725
"""Of the heat: from here on, text on it is `high`, below `low`; there both can be read in print and
in both themes of the page."""


@dataclass(frozen=True)
class Look:
    """The colours of a figure, as matplotlib takes them.

    Attributes:
        ink, soft, line, paper: of text, of what is less important, of rules, behind all.
        heat: of the cells of a matrix, by their share of opacity; text on them is low or high.
        series: of what is told apart, in the order in which they are used.
    """

    ink: str
    soft: str
    line: str
    paper: str
    heat: str
    low: str
    high: str
    series: tuple[str, ...]


PRINT = Look(
    ink="#111111",
    soft="#555555",
    line="#c4c4c4",
    paper="#ffffff",
    heat="#08457e",
    low="#000000",
    high="#ffffff",
    # Okabe and Ito's, yellow last and darkened: it cannot be seen on white.
    series=(
        *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
        *("#e69f00", "#56b4e9", "#6b6b6b", "#a89a00"),
    ),
)

VARIABLES = {
    "#010101": "--ink",
    "#010102": "--soft",
    "#010103": "--line",
    "#010104": "--paper",
    "#010105": "--heat",
    "#010106": "--low",
    "#010107": "--high",
    **{f"#01010{8 + n:x}": f"--series-{n + 1}" for n in range(8)},
}
"""What stands in a figure for a colour that the page knows, which depends on the theme."""

_NAMES = list(VARIABLES)
PAGE = Look(
    ink=_NAMES[0],
    soft=_NAMES[1],
    line=_NAMES[2],
    paper=_NAMES[3],
    heat=_NAMES[4],
    low=_NAMES[5],
    high=_NAMES[6],
    series=tuple(_NAMES[7:]),
)


def series_color(look: Look, number: int) -> str:
    """Of the number-th thing that is told apart."""
    return look.series[number % len(look.series)]


def needed(package: str) -> Any:
    """A package of the extra `report`.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"pages and figures need {package}: {install_command('report')}"
        ) from error


@contextmanager
def styled(look: Look) -> Iterator[None]:
    """Draw and save in this look.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    matplotlib = needed("matplotlib")
    style = {
        "font.family": "DejaVu Sans",
        "font.size": POINTS,
        "axes.titlesize": POINTS,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": look.ink,
        "axes.labelsize": POINTS,
        "axes.labelcolor": look.ink,
        "axes.edgecolor": look.line,
        "axes.linewidth": 0.6,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "text.color": look.ink,
        "xtick.color": look.line,
        "ytick.color": look.line,
        "xtick.labelcolor": look.soft,
        "ytick.labelcolor": look.soft,
        "xtick.labelsize": POINTS - 1,
        "ytick.labelsize": POINTS - 1,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "grid.color": look.line,
        "grid.linewidth": 0.4,
        "legend.frameon": False,
        "legend.fontsize": POINTS - 1,
        "legend.handlelength": 2.0,
        "lines.linewidth": 1.2,
        "lines.markersize": 4.5,
        "hatch.linewidth": 0.5,
        "hatch.color": look.paper,
        "pdf.fonttype": 42,
        "svg.hashsalt": "ser",
        "mathtext.fontset": "dejavusans",
        "text.parse_math": False,  # labels are a user's: $ is no formula
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # of a script that the font lacks
        yield


def blank(rows: int = 1, columns: int = 1, height: float = WIDTH, **options: Any) -> Any:
    """A figure of a column's width with its axes: (figure, axes), the latter an array."""
    figure = import_module("matplotlib.figure").Figure((WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def short(text: str, most: int = 16) -> str:
    """A name that fits beside an axis."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
