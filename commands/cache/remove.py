"""`ser cache rm` and `gc`: removing what one names, and what nobody needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import InputError, listing
from ...progress import Progress, plain
from ..options import cache_option, feature_names, open_cache, progress_option
from ..printing import complain, echo

if TYPE_CHECKING:
    from ...cache import Cache, Removal


@click.command("rm")
@click.argument("features", nargs=-1, metavar="[FEATURE]...")
@click.option("--corpus", help="Only of this corpus; without FEATURE, all that is of it.")
@click.option("--manifest", is_flag=True, help="The manifest of --corpus too, with its labels.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_option
def cache_rm(
    features: tuple[str, ...],
    corpus: str | None,
    manifest: bool,
    yes: bool,
    cache_folders: tuple[Path, ...],
) -> None:
    """Remove features (`mfcc`), or versions of them (`mfcc@1a2b`), or all of a corpus.

    The manifest of a corpus, which says which utterances there are and may hold corrected labels,
    stays unless --manifest is given. Of several folders only the first is touched.
    """
    from ...cache import remove_manifest

    if not features and corpus is None:
        raise InputError("expected features to remove, or --corpus; `ser cache ls` lists them")
    if manifest and (features or corpus is None):
        raise InputError("--manifest goes with --corpus alone, without features")
    cache = open_cache(cache_folders)
    if manifest and corpus is not None and not cache.owns_manifest(corpus):
        raise InputError(f"--manifest: no manifest of {corpus} in {cache.folder}")
    removals = _named(cache, features, corpus, manifest)
    what = f"{_what(removals)}, in {_where(cache, removals)}" if removals else ""
    if manifest:
        what = f"{what}, and the manifest of {corpus}" if what else f"the manifest of {corpus}"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"this would remove {what}. --yes does so without asking")
        if not click.confirm(plain(f"remove {what}?"), err=True):
            echo("nothing was removed")
            return
    removed = [removal.carry_out() for removal in removals]
    if removed:
        echo(f"removed {_shards(removed)}")
    if manifest and corpus is not None:
        echo(f"removed {remove_manifest(cache, corpus)}")
    elif corpus is not None and not features and cache.owns_manifest(corpus):
        complain(f"note: the manifest of {corpus} stays; --manifest removes it too")
    for folder in cache.shared_with([removal.key for removal in removals], corpus):
        complain(f"note: {folder}, which is shared, holds of it too, and that is still read")


def _named(
    cache: Cache, features: Sequence[str], corpus: str | None, manifest: bool
) -> list[Removal]:
    """What is to be removed; InputError where there is nothing but perhaps a manifest."""
    if corpus is None or features:
        found = (cache.removal(name, corpus) for name in feature_names(cache, features))
        return list({removal.folder: removal for removal in found}.values())
    try:
        return cache.removals(corpus)
    except InputError:
        if not manifest:
            raise
        return []


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed and merged.")
@progress_option
@cache_option
def cache_gc(dry_run: bool, progress: Progress, cache_folders: tuple[Path, ...]) -> None:
    """Remove what nobody needs, and merge small shards.

    What goes are shards that hold nothing that others do not, as after copying one cache into
    another, and what writers that were killed left: on this machine at once, else after a day. The
    same bytes are read afterwards, and meanwhile. Of several folders only the first is touched.
    """
    cache = open_cache(cache_folders)
    with progress:
        collected = cache.collect(dry_run, lambda path: progress.show(f"checking {path.name}"))
    removed, merged = ("would remove", "would merge") if dry_run else ("removed", "merged")
    for removal in collected.removals:
        echo(f"{removed} {_what([removal])}: others hold the same")
    for merge in collected.merges:
        echo(
            f"{merged} {_counted(merge.shards, 'shard')} into {merge.into}, "
            f"{merge.bytes / 1e6:.1f} MB, of {merge.key.short} (corpus {merge.corpus})"
        )
    if collected.leftovers:
        echo(f"{removed} {_counted(len(collected.leftovers), 'file')} of killed writers")
    if not any((collected.removals, collected.merges, collected.leftovers)):
        echo(f"{cache.folder}: nothing to remove or merge")


def _what(removals: Sequence[Removal]) -> str:
    corpora = sorted({corpus for removal in removals for corpus in removal.corpora})
    many = "corpora" if len(corpora) > 1 else "corpus" if corpora else "no corpus"
    keys = listing(removal.key.short for removal in removals)
    return f"{_shards(removals)}, of {keys} ({f'{many} {listing(corpora)}'.rstrip()})"


def _where(cache: Cache, removals: Sequence[Removal]) -> Path:
    return removals[0].folder if len(removals) == 1 else cache.folder


def _shards(removals: Sequence[Removal]) -> str:
    count = sum(removal.shards for removal in removals)
    size = sum(removal.bytes for removal in removals)
    return f"{_counted(count, 'shard')}, {size / 1e6:.1f} MB"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
