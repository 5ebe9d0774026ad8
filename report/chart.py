"""A figure with its data: as a part of the page, and as files for a paper."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..files import atomic_path, atomic_text
from ..train.runs.report import decimal
from .look import PAGE, PRINT, VARIABLES, Look, styled

_NUMBER = re.compile(r"[-+<]?[\d.]+(?:e-?\d+)?(?: ?(?:-|to) ?[-+]?[\d.]+)?|-|nan")
"""A number or an interval, as it is shown; or none."""

Value = str | int | float | None

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
DOTS_PER_INCH = 300
"""Of PNG files."""


@dataclass(frozen=True)
class Table:
    """Rows of values; fractions are shown with three decimals and written in full."""

    head: Sequence[str]
    rows: Sequence[Sequence[Value]]

    def shown(self) -> list[list[str]]:
        """The rows as text."""
        return [[shown(value) for value in row] for row in self.rows]

    @property
    def words(self) -> list[bool]:
        """Of every column, whether it holds text, not numbers."""
        columns = zip(*self.shown(), strict=True) if self.rows else [()] * len(self.head)
        return [not all(map(_NUMBER.fullmatch, column)) for column in columns]

    def csv(self) -> str:
        """The same as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.head)
        writer.writerows([["" if value is None else value for value in row] for row in self.rows])
        return text.getvalue()


def shown(value: Value) -> str:
    """A cell as text: as rates are printed everywhere."""
    if value is None:
        return "-"
    return decimal(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        name: of its files, and of its place in the page.
        title: what it shows, in a few words.
        of: the run, the corpus or both, where there are several such figures.
        summary: the same in a sentence, for who cannot see it.
        table: its data.
        draw: makes the figure in some look.
    """

    name: str
    title: str
    summary: str
    table: Table
    draw: Callable[[Look], Any]
    of: str = ""

    def svg(self) -> str:
        """For the page: text stays text, colours are the page's, names are in no other figure."""
        with styled(PAGE):
            import matplotlib as mpl

            text = io.StringIO()
            with mpl.rc_context({"svg.fonttype": "none"}):
                self.draw(PAGE).savefig(text, format="svg", metadata=_NO_DATES["svg"])
        return _embedded(text.getvalue(), self)

    def write(self, folder: Path) -> list[Path]:
        """Write it as SVG, PDF and PNG, and its data as CSV; the same bytes every time.

        Raises:
            OSError: a file cannot be written.
        """
        paths = [folder / f"{self.name}.{kind}" for kind in _NO_DATES]
        with styled(PRINT):
            figure = self.draw(PRINT)
            for path, kind in zip(paths, _NO_DATES, strict=True):
                with atomic_path(path) as partial:
                    _save(figure, partial, kind)
        paths.append(folder / f"{self.name}.csv")
        atomic_text(paths[-1], self.table.csv())
        return paths


def write_figure(draw: Callable[[Look], Any], path: Path) -> None:
    """Write a figure as what the suffix of the file says, one of `KINDS`.

    Raises:
        OSError: it cannot be written.
        MissingPackageError: matplotlib is not installed.
    """
    with styled(PRINT), atomic_path(path) as partial:
        _save(draw(PRINT), partial, path.suffix[1:].lower())


def _save(figure: Any, path: Path, kind: str) -> None:
    # A vector stays without a ground; a PNG would be unreadable on a dark one.
    ground = PRINT.paper if kind == "png" else "none"
    figure.savefig(path, format=kind, dpi=DOTS_PER_INCH, metadata=_NO_DATES[kind], facecolor=ground)


_NO_DATES: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""The formats, and what would differ from day to day, or from version to version."""

KINDS = tuple(f".{kind}" for kind in _NO_DATES)
"""Suffixes of figures."""

_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
"""The page has its own."""


def _embedded(text: str, chart: Chart) -> str:
    """An SVG file of matplotlib as an element of the page."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(text)
    for parent in [*root.iter()]:
        for child in [*parent]:
            # The style would be that of the whole page.
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    referred = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in referred:
            element.set("id", f"{chart.name}-{name}")
        for key, value in [*element.attrib.items()]:
            value = value.replace("url(#", f"url(#{chart.name}-")
            if key == f"{{{XLINK}}}href":
                value = value.replace("#", f"#{chart.name}-", 1)
            if key == "style" and element.tag == f"{{{SVG}}}text":
                value = _FAMILY.sub("", value)
            for colour, variable in VARIABLES.items():
                value = value.replace(colour, f"var({variable})")
            element.set(key, value)
    for name in ("width", "height"):
        del root.attrib[name]
    root.set("role", "img")
    root.set("aria-labelledby", f"{chart.name}-title {chart.name}-desc")
    for place, (tag, content) in enumerate((("title", chart.title), ("desc", chart.summary))):
        child = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{chart.name}-{tag}"})
        child.text = content
        root.insert(place, child)
    return ElementTree.tostring(root, encoding="unicode")


def file_name(*parts: str) -> str:
    """Words as a part of a file's name and of a link: `confusion-a-emodb`."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "figure"
