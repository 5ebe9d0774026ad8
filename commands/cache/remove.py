"""`ser cache rm` and `gc`: removing what one names, and what nobody needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import InputError
from ...progress import Progress, plain
from ..options import cache_option, feature_names, open_cache, progress_option
from ..printing import echo

if TYPE_CHECKING:
    from ...cache import Removal


@click.command("rm")
@click.argument("feature")
@click.option("--corpus", help="Only of this corpus.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_option
def cache_rm(feature: str, corpus: str | None, yes: bool, cache_folders: tuple[Path, ...]) -> None:
    """Remove a feature (`mfcc`), or one version of it (`mfcc@1a2b`)."""
    cache = open_cache(cache_folders)
    removal = cache.removal(feature_names(cache, [feature])[0], corpus)
    what = f"{_what(removal)}, in {removal.folder}"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"this would remove {what}. --yes does so without asking")
        if not click.confirm(plain(f"remove {what}?"), err=True):
            echo("nothing was removed")
            return
    echo(f"removed {_shards(removal.carry_out())}")


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@progress_option
@cache_option
def cache_gc(dry_run: bool, progress: Progress, cache_folders: tuple[Path, ...]) -> None:
    """Remove what nobody needs.

    Shards that hold nothing that others do not, as after merging copies, and what writers that were
    killed left more than a day ago.
    """
    cache = open_cache(cache_folders)
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
