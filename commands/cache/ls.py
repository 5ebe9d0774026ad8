"""`ser cache ls`: what is cached."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import cache_option, json_option, open_cache
from ..printing import echo, echo_json

if TYPE_CHECKING:
    from ...cache import Holding

LICENCE_SHOWN = 60
"""Characters of a licence in the list; `--json` and the file beside the shards have all."""


@click.command("ls")
@cache_option
@json_option
def cache_ls(cache_folders: tuple[Path, ...], as_json: bool) -> None:
    """List what is cached."""
    from ...cache import Holding

    cache = open_cache(cache_folders)
    holdings, left_out = cache.listing(), cache.left_out()
    if as_json:
        columns = [field.name for field in fields(Holding) if field.name != "key"]
        blank = dict.fromkeys(["feature", "key", *columns, "problem"])
        rows = [
            {**blank, "feature": holding.key.feature, "key": holding.key.hash}
            | {column: getattr(holding, column) for column in columns}
            for holding in holdings
        ]
        echo_json(rows + [{**blank, "problem": str(problem)} for problem in left_out])
        return
    echo(f"{cache.folder}:{'' if holdings else ' empty'}")
    for holding in holdings:
        echo(f"  {_line(holding)}")
    for problem in left_out:
        echo(f"  left out: {problem}")


def _line(holding: Holding) -> str:
    hours = f"{holding.hours:.2f} h" if holding.hours is not None else "? h"
    text = (
        f"{holding.corpus:10} {holding.key.feature:20} {holding.key.hash[:8]}  "
        f"{holding.utterances:6} utterances  {hours:>8}  {holding.bytes / 1e6:8.1f} MB  "
        f"{holding.shards} shard{'s' if holding.shards > 1 else ''}"
    )
    if holding.damaged:
        text += f", {holding.damaged} DAMAGED: run ser cache verify"
    if holding.superfluous:
        text += f", {holding.superfluous} of them hold nothing that others do not: ser cache gc"
    if holding.licence:
        licence = " ".join(holding.licence.split())
        text += f"  {licence if len(licence) <= LICENCE_SHOWN else licence[:LICENCE_SHOWN] + '...'}"
    return text
