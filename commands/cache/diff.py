"""`ser cache diff`: how two caches differ, wherever they lie."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ...errors import InputError
from ...files import folder_or_url
from ...progress import Progress
from ..options import json_option, progress_option
from ..printing import echo, echo_json


@click.command("diff")
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@json_option
@progress_option
def cache_diff(one: str, other: str, as_json: bool, progress: Progress) -> None:
    """Show what the caches A and B have that differs: features, utterances, labels.

    Each is a folder or a URL, as `ser cache pull` takes them. Of labels every difference is shown,
    as A and as B has it.
    """
    from ...cache import remotes

    for where in map(folder_or_url, (one, other)):
        if isinstance(where, Path) and not where.expanduser().is_dir():
            raise InputError(f"{where}: no such folder")
    places = remotes.open_place(one), remotes.open_place(other)
    with progress:
        progress.show(f"looking at {places[0]} and {places[1]}")
        found = remotes.diff(*places)
    if as_json:
        echo_json(asdict(found))
        return
    echo(f"A: {places[0]}\nB: {places[1]}")
    for side, corpora in zip("AB", found.only, strict=True):
        for corpus in corpora:
            echo(f"{corpus}: only {side} has a manifest")
    for feature in found.features:
        parts = [
            f"{count} utterances only in {side}"
            + (f" ({shards} shard{'s' if shards > 1 else ''})" if shards else "")
            for side, count, shards in zip("AB", feature.only, feature.shards, strict=True)
            if count or shards
        ]
        parts += [f"damaged: {name}" for name in feature.damaged]
        echo(f"{feature.corpus} {feature.feature}: {'; '.join(parts)}")
    for manifest in found.manifests:
        words = (
            str(manifest).replace(" only here", " only in A").replace(" only there", " only in B")
        )
        echo(words)
        for id, column, here, there in found.values[manifest.corpus]:
            echo(f"  {id}  {column}: {here or '(blank)'} | {there or '(blank)'}")
    if not found:
        echo("no difference")
