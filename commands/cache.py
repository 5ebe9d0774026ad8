"""`ser cache`: what is cached, and whether it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .options import cache_option, json_option, open_cache


@click.group("cache")
def cache_group() -> None:
    """Look after the cache."""


@cache_group.command("ls")
@cache_option
@json_option
def cache_ls(cache_folder: Path | None, as_json: bool) -> None:
    """List what is cached."""
    cache = open_cache(cache_folder)
    holdings = cache.listing()
    if as_json:
        rows = [
            {
                "feature": holding.key.feature,
                "key": holding.key.hash,
                "corpus": holding.corpus,
                "utterances": holding.utterances,
                "hours": holding.hours,
                "bytes": holding.bytes,
                "shards": holding.shards,
                "damaged": holding.damaged,
            }
            for holding in holdings
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{cache.folder}: {'empty' if not holdings else ''}".rstrip())
    for holding in holdings:
        hours = f"{holding.hours:.2f} h" if holding.hours is not None else "? h"
        damaged = f", {holding.damaged} DAMAGED: run ser cache verify" if holding.damaged else ""
        click.echo(
            f"  {holding.corpus:10} {holding.key.feature:20} {holding.key.hash[:8]}  "
            f"{holding.utterances:6} utterances  {hours:>8}  {holding.bytes / 1e6:8.1f} MB  "
            f"{holding.shards} shard{'s' if holding.shards > 1 else ''}{damaged}"
        )


@cache_group.command("verify")
@cache_option
@json_option
def cache_verify(cache_folder: Path | None, as_json: bool) -> None:
    """Check every byte of the cache; exit code 0 only if all is whole."""
    from ..progress import Progress

    cache = open_cache(cache_folder)
    with Progress() as bar:
        report = cache.verify(
            lambda done, total: bar.show(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB checked")
        )
    if as_json:
        found = {
            "whole": report.whole,
            "shards": report.shards,
            "utterances": report.utterances,
            "bytes": report.bytes,
            "problems": [{"path": str(p.path), "reason": p.reason} for p in report.problems],
        }
        click.echo(json.dumps(found, indent=2))
    else:
        for problem in report.problems:
            click.echo(str(problem))
        verdict = "all whole" if report.whole else f"{len(report.problems)} damaged"
        click.echo(
            f"{cache.folder}: {report.shards} shards, {report.utterances} utterances, "
            f"{report.bytes / 1e6:.1f} MB checked: {verdict}"
        )
    if not report.whole:
        raise click.exceptions.Exit(1)


@cache_group.command("rm")
@click.argument("feature")
@click.option("--corpus", help="Only of this corpus.")
@cache_option
def cache_rm(feature: str, corpus: str | None, cache_folder: Path | None) -> None:
    """Remove a feature (`mfcc`), or one version of it (`mfcc@1a2b`)."""
    removal = open_cache(cache_folder).remove(feature, corpus)
    click.echo(f"removed {removal.shards} shards, {removal.bytes / 1e6:.1f} MB")
