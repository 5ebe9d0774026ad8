"""`ser cache`: what is cached, and whether it is whole."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..progress import Progress, plain
from .options import cache_option, feature_names, json_option, open_cache, progress_option
from .printing import echo, echo_json

if TYPE_CHECKING:
    from ..cache import Holding, Removal

LICENCE_SHOWN = 60
"""Characters of a licence in the list; `--json` and the file beside the shards have all."""


@click.group("cache")
def cache_group() -> None:
    """Look after the cache."""


@cache_group.command("ls")
@cache_option
@json_option
def cache_ls(cache_folder: Path | None, as_json: bool) -> None:
    """List what is cached."""
    from ..cache import Holding

    cache = open_cache(cache_folder)
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


@cache_group.command("verify")
@cache_option
@json_option
@progress_option
def cache_verify(cache_folder: Path | None, as_json: bool, progress: Progress) -> None:
    """Check every byte of the cache; exit code 0 only if all is whole."""
    cache = open_cache(cache_folder)
    with progress:
        report = cache.verify(
            lambda done, total: progress.show(
                f"{done / 1e6:.0f} of {total / 1e6:.0f} MB checked", done, total
            )
        )
    if as_json:
        columns = ("whole", "shards", "utterances", "bytes")
        problems = [{"path": str(p.path), "reason": p.reason} for p in report.problems]
        echo_json({column: getattr(report, column) for column in columns} | {"problems": problems})
    else:
        for problem in report.problems:
            echo(str(problem))
        verdict = "all whole" if report.whole else f"{len(report.problems)} damaged"
        echo(
            f"{cache.folder}: {report.shards} shards, {report.utterances} utterances, "
            f"{report.bytes / 1e6:.1f} MB checked: {verdict}"
        )
    if not report.whole:
        raise click.exceptions.Exit(1)


@cache_group.command("rm")
@click.argument("feature")
@click.option("--corpus", help="Only of this corpus.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_option
def cache_rm(feature: str, corpus: str | None, yes: bool, cache_folder: Path | None) -> None:
    """Remove a feature (`mfcc`), or one version of it (`mfcc@1a2b`)."""
    cache = open_cache(cache_folder)
    removal = cache.removal(feature_names(cache, [feature])[0], corpus)
    what = f"{_what(removal)}, in {removal.folder}"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"this would remove {what}. --yes does so without asking")
        if not click.confirm(plain(f"remove {what}?"), err=True):
            echo("nothing was removed")
            return
    echo(f"removed {_shards(removal.carry_out())}")


@cache_group.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@progress_option
@cache_option
def cache_gc(dry_run: bool, progress: Progress, cache_folder: Path | None) -> None:
    """Remove what nobody needs.

    Shards that hold nothing that others do not, as after merging copies, and what writers that were
    killed left more than a day ago.
    """
    cache = open_cache(cache_folder)
    with progress:
        collected = cache.collect(dry_run, lambda path: progress.show(f"checking {path.name}"))
    verb = "would remove" if dry_run else "removed"
    for removal in collected.removals:
        echo(f"{verb} {_what(removal)}: others hold the same")
    if collected.leftovers:
        echo(f"{verb} {_counted(len(collected.leftovers), 'file')} of killed writers")
    if not collected.removals and not collected.leftovers:
        echo(f"{cache.folder}: nothing to remove")


def _what(removal: Removal) -> str:
    many = "corpora" if len(removal.corpora) > 1 else "corpus" if removal.corpora else "no corpus"
    corpora = f"{many} {', '.join(removal.corpora)}".rstrip()
    return f"{_shards(removal)}, of {removal.key.short} ({corpora})"


def _shards(removal: Removal) -> str:
    return f"{_counted(removal.shards, 'shard')}, {removal.bytes / 1e6:.1f} MB"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
