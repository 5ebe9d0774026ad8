"""`ser compare`: runs against one another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..errors import InputError
from .options import GivenPath, cache_option, json_option, open_cache
from .printing import complain, echo, echo_json, echo_table


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, metavar="RUN RUN...", type=GivenPath(path_type=Path)
)
@json_option
@cache_option
def compare(folders: tuple[Path, ...], as_json: bool, cache_folders: tuple[Path, ...]) -> None:
    """Compare runs that were tested on the same utterances of the same splits.

    Prints the paired differences in UA of all pairs, with intervals and tests. With --protocol
    speaker these need the speakers, which the cache knows.
    """
    from ..train.runs.pairs import cells, compare_runs, heads, tests_note
    from ..train.runs.report import comparison_table
    from ..train.runs.run import Run

    if len(folders) < 2:
        raise InputError("expected two runs or more to compare: ser compare RUN RUN")
    runs = [Run.open(folder) for folder in folders]
    metrics = [run.metrics for run in runs]
    pairs = compare_runs(runs, open_cache(cache_folders))
    if as_json:
        echo_json(
            [
                {"run": str(folders[pair.one]), "than": str(folders[pair.other]), "over": pair.over}
                | {"corpora": {name: asdict(found) for name, found in pair.corpora.items()}}
                | {"mean": asdict(pair.mean) if pair.mean else None}
                | {"problems": list(pair.problems)}
                for pair in pairs
            ]
        )
    else:
        numbers = [f"[{number}]" for number, _ in enumerate(folders, 1)]
        for number, folder in zip(numbers, folders, strict=True):
            echo(f"{number} {folder}")
        echo(f"\n{comparison_table(metrics, numbers)}")
        rows = [
            (f"{numbers[pair.one]} against {numbers[pair.other]}", name, *cells(found, pairs))
            for pair in pairs
            for name, found in pair.scopes.items()
        ]
        if rows:
            echo()
            echo_table([("runs", "corpus", *heads(pairs)), *rows])
            echo(f"\n{tests_note(pairs)}")
    for pair in pairs:
        for problem in pair.problems:
            complain(f"{folders[pair.one]} and {folders[pair.other]}: {problem}")
    if not any(pair.scopes for pair in pairs):
        raise InputError("no two of these runs can be compared")
