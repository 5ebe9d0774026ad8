"""`ser corpora`: what is known, where to get it, where it was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import cache_option, json_option, open_cache
from .printing import echo, echo_json


@click.command()
@json_option
@cache_option
def corpora(as_json: bool, cache_folders: tuple[Path, ...]) -> None:
    """List the corpora that are known, and where they were found."""
    from ..manifests import CORPORA, find_root, root_variable

    cached = set(open_cache(cache_folders).corpora())
    rows: list[dict[str, Any]] = []
    for name in [*CORPORA, *sorted(cached - set(CORPORA))]:
        corpus, root = CORPORA.get(name), find_root(name)
        rows.append(
            {
                "name": name,
                "title": (corpus and corpus.title) or "a corpus of your own",
                "language": corpus.language if corpus else None,
                "utterances": sum(corpus.counts.values()) if corpus else None,
                "licence": corpus.licence if corpus else None,
                "url": corpus.url if corpus else None,
                "root": str(root) if root else None,
                "cached": name in cached,
            }
        )
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        found = (
            f"audio in {row['root']}" if row["root"] else f"audio: set {root_variable(row['name'])}"
        )
        echo(f"{row['name']:9} {row['title']}")
        if row["url"]:
            echo(
                f"{'':9} {row['language']}, {row['utterances']} utterances; "
                f"licence: {row['licence']}; {row['url']}"
            )
        echo(f"{'':9} {found}; {'in the cache' if row['cached'] else 'not in the cache'}")
