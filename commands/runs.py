"""`ser runs`: what was trained."""

from __future__ import annotations

from pathlib import Path

import click

from .options import GivenPath, json_option
from .printing import complain, echo, echo_json, echo_table


@click.command()
@click.argument("folder", default="runs", type=GivenPath(path_type=Path))
@json_option
def runs(folder: Path, as_json: bool) -> None:
    """List the runs in a folder and below it  [default: runs].

    Corpora, method with its preset and changes, features, protocol, UA (with several corpora the
    mean, and each), and when it was finished. What cannot be read is said, and left out.
    """
    from ..train.runs.survey import APART, HEAD, find_runs

    found, problems = find_runs(folder)
    if as_json:
        echo_json({"runs": [each.to_dict() for each in found], "left_out": problems})
        return
    for problem in problems:
        complain(f"left out: {problem}")
    if found:
        echo_table([HEAD, *(each.cells(folder) for each in found)])
        if any(each.apart for each in found):
            echo(
                f"\n{APART} of other labels, by a map, or the test part had its say: "
                "`ser report` tells"
            )
    else:
        echo(f"{folder}: no runs")
