"""`ser weights`: models that do not come with a package."""

from __future__ import annotations

import time

import click

from ..errors import InputError
from ..progress import Progress
from .options import json_option, progress_option
from .printing import echo, echo_json


@click.group("weights")
def weights_group() -> None:
    """Weights of models that do not come with a package."""


@weights_group.command("ls")
@json_option
def weights_ls(as_json: bool) -> None:
    """List what is known, where it comes from, and what is here."""
    from ..extract.weights.holdings import survey
    from ..extract.weights.known import weights_folder

    holdings = survey()
    if as_json:
        rows = [
            {
                "name": holding.weights.name,
                "feature": holding.weights.feature,
                "url": holding.weights.url,
                "licence": holding.licence,
                "state": holding.state,
                "problem": holding.problem,
                "bytes": holding.size,
                "sha256": holding.hash,
                "revision": holding.revision,
                "first_seen": holding.first_seen,
                "path": str(holding.path),
            }
            for holding in holdings
        ]
        echo_json(rows)
        return
    echo(f"{weights_folder()}:")
    for holding in holdings:
        about = "" if holding.hash else "about "
        size = f"{about}{holding.size / 1e6:.0f} MB" if holding.size else "size unknown"
        sha = f"  sha256 {holding.hash[:12]}" if holding.hash else ""
        echo(f"  {holding.weights.feature:36} {holding.state:8} {size:>14}{sha}")
        echo(f"    {holding.weights.url}; licence: {holding.licence}")
        if holding.first_seen:
            echo(f"    first seen {holding.first_seen}, nothing to compare with")
        if holding.state == "damaged":
            echo(f"    NOT the bytes that are known or were recorded: {holding.problem}")
            echo(f"    remove {holding.path}, and fetch it again")


@weights_group.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--revision", help="Of a model on the hub: a branch, tag or commit.")
@progress_option
def weights_fetch(names: tuple[str, ...], revision: str | None, progress: Progress) -> None:
    """Fetch weights, by feature (wav2vec) or model (hf:microsoft/wavlm-base-plus).

    Without a name: those of the features that have one model, allosaurus, wav2vec, byol,
    vgg16 and wav2vec2. What is here is verified and not fetched again.
    """
    from ..extract.weights.fetch import fetch
    from ..extract.weights.holdings import find_holding
    from ..extract.weights.known import DEFAULT, find_weights

    if revision and len(names) != 1:
        raise InputError("--revision goes with one model")
    for weights in [find_weights(name) for name in names] or DEFAULT:
        progress.started = time.monotonic()

        def show(done: int, total: int | None, name: str = weights.name) -> None:
            of = f" of {total / 1e6:.1f}" if total else ""
            progress.show(f"{name}: {done / 1e6:.1f}{of} MB", done, total or 0)

        with progress:
            path = fetch(weights, show, revision=revision)
        echo(f"{weights.feature}: {path}")
        holding = find_holding(weights)
        if holding.first_seen:
            progress.say(
                f"note: {weights.name}: first seen {holding.first_seen}, nothing to compare with "
                f"(its makers publish no hash): sha256 {holding.hash}"
            )
