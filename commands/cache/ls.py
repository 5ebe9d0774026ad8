"""`ser cache ls`: what is cached, and where."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import cache_option, json_option, named_place, open_cache, remote_option
from ..printing import echo, echo_json, echo_table

if TYPE_CHECKING:
    from ...cache import Holding
    from ...cache.remotes import Place

LICENCE_SHOWN = 80
"""Characters of a licence in the list; `--json` and the file beside the shards have all."""
FEATURE_SHOWN = 40
"""Characters of a feature in the table; its beginning and its end."""
HEAD = ("corpus", "feature", "key", "utterances", "hours", "size", "shards", "age", "where")
NUMBERS = {3, 4, 5, 6}
"""Columns of the table that are numbers."""
SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
AGES = (
    (365 * 24 * 3600, "year"),
    (30 * 24 * 3600, "month"),
    (24 * 3600, "day"),
    (3600, "hour"),
    (60, "minute"),
)


@click.command("ls")
@remote_option
@cache_option
@json_option
def cache_ls(remote: str | None, cache_folders: tuple[Path, ...], as_json: bool) -> None:
    """List what is cached: how much of each corpus and feature, how old it is, and where."""
    from ...cache import in_words, places

    cache = open_cache(cache_folders)
    if remote is not None:
        _list_remote(named_place(cache, remote), as_json)
        return
    holdings, left_out = cache.listing(), cache.left_out()
    where = {name: str(folder) for name, folder in places(cache.folders).items()}
    words = in_words(holding.key for holding in holdings)
    if as_json:
        rows = [_values(holding, words[holding.key], where) for holding in holdings]
        blank = dict.fromkeys(_columns())
        echo_json(rows + [blank | {"problem": str(problem)} for problem in left_out])
        return
    if len(where) == 1:
        echo(f"{cache.folder}:{'' if holdings else ' empty'}")
    else:
        for name, place in where.items():
            empty = not any(holding.where == name for holding in holdings)
            echo(f"{name:8}  {place}{': empty' if empty else ''}")
    if holdings:
        table = [HEAD, *(_cells(holding, words[holding.key]) for holding in holdings)]
        echo()
        echo_table(table if len(where) > 1 else [cells[:-1] for cells in table], NUMBERS)
    if notes := [*_notes(holdings, where), *(f"left out: {problem}" for problem in left_out)]:
        echo()
        for note in notes:
            echo(note)


def _list_remote(place: Place, as_json: bool) -> None:
    from ...cache.remotes import list_place

    holdings = list_place(place)
    if as_json:
        echo_json([asdict(holding) for holding in holdings])
        return
    echo(f"{place}:{'' if holdings else ' empty'}")
    if holdings:
        rows = [
            (each.corpus, each.feature, each.key[:8], _size(each.bytes), str(each.shards))
            for each in holdings
        ]
        echo()
        echo_table([("corpus", "feature", "key", "size", "shards"), *rows], {3, 4})


def _columns() -> list[str]:
    """Names of all that `--json` tells of a holding, or of what was left out."""
    from ...cache import Holding

    plain = [field.name for field in fields(Holding) if field.name != "key"]
    return ["feature", "key", "words", *plain, "folder", "problem"]


def _values(holding: Holding, words: str, where: Mapping[str, str]) -> dict[str, Any]:
    known = {
        "feature": holding.key.feature,
        "key": holding.key.hash,
        "words": words,
        "folder": where[holding.where],
        "newest": holding.newest.isoformat(timespec="seconds"),
        "problem": None,
    }
    return {name: known[name] if name in known else getattr(holding, name) for name in _columns()}


def _cells(holding: Holding, words: str) -> tuple[str, ...]:
    if len(words) > FEATURE_SHOWN:
        half = (FEATURE_SHOWN - 3) // 2
        words = f"{words[:half]}...{words[-half:]}"
    return (
        holding.corpus,
        words,
        holding.key.hash[:8],
        str(holding.utterances),
        "?" if holding.hours is None else f"{holding.hours:.2f}",
        _size(holding.bytes),
        str(holding.shards),
        _age(time.time() - holding.newest.timestamp()),
        holding.where,
    )


def _notes(holdings: Sequence[Holding], where: Mapping[str, str]) -> Iterator[str]:
    """What is not as it could be, and the licences."""
    for holding in holdings:
        what = f"{holding.key.short} of {holding.corpus}"
        if len(where) > 1:
            what += f", {holding.where}"
        shards = f"{holding.shards} shard{'' if holding.shards == 1 else 's'}"
        if holding.damaged:
            yield f"{what}: {holding.damaged} of {shards} DAMAGED: run ser cache verify"
        if holding.superfluous:
            nothing = f"{holding.superfluous} of {shards} hold nothing that others do not"
            yield f"{what}: {nothing}: ser cache gc"
    for key, licence in dict.fromkeys((each.key, each.licence) for each in holdings):
        if licence:
            text = " ".join(licence.split())
            cut = text if len(text) <= LICENCE_SHOWN else text[:LICENCE_SHOWN] + "..."
            yield f"licence of {key.short}: {cut}"


def _size(count: int) -> str:
    unit, name = next((pair for pair in SIZES if count >= pair[0]), SIZES[-1])
    return f"{count / unit:.1f} {name}"


def _age(seconds: float) -> str:
    """In the largest unit that gives a whole number."""
    for length, unit in AGES:
        if count := int(seconds // length):
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0 minutes"
