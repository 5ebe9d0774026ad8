"""`ser demo`: everything once, on synthetic speech."""

from __future__ import annotations

from pathlib import Path

import click

from ..progress import Progress
from .options import GivenPath, json_option, progress_option
from .printing import echo, echo_json


@click.command()
@click.option(
    "--out",
    type=GivenPath(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for audio, cache and runs.",
)
@json_option
@progress_option
def demo(out: Path, as_json: bool, progress: Progress) -> None:
    """Synthesise three small corpora, extract, train, and print the table."""
    from ..demo.run import NOTICE, run_demo
    from ..train.runs.report import comparison_table

    with progress:
        runs = run_demo(out, progress)
    if as_json:
        echo_json(runs)
    else:
        echo(comparison_table(runs))
        echo(f"\n{NOTICE}")
