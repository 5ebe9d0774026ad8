"""What commands print: results on stdout, notes and errors on stderr, all of it safe to look at."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from typing import Any

import click

from ..progress import message, plain


def echo(text: str = "") -> None:
    """Print a result on stdout."""
    click.echo(plain(text))


def echo_table(rows: Sequence[Sequence[str]], numbers: Container[int] = ()) -> None:
    """Print rows as columns, the first row as their heads; no cell is more than one line.

    Args:
        numbers: columns that are aligned on the right.
    """
    lines = [[plain(" ".join(cell.split())) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    align = [str.rjust if column in numbers else str.ljust for column in range(len(widths))]
    for line in lines:
        cells = zip(align, line, widths, strict=True)
        click.echo("  ".join(put(cell, width) for put, cell, width in cells).rstrip())


def echo_json(value: Any) -> None:
    """Print a result as JSON on stdout; all but ASCII is escaped, so that any terminal takes it."""
    click.echo(json.dumps(value, indent=2))


def complain(text: str) -> None:
    """Print a note or an error on stderr."""
    click.echo(message(text), err=True)
