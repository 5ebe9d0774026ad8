"""`ser corpora`: what is known, where to get it, where it was found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import BAD_FILES, InputError
from ..progress import Progress
from .options import GivenPath, cache_option, json_option, open_cache, progress_option
from .printing import complain, echo, echo_json

folder = GivenPath(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--check", type=folder, metavar="DIR", help="Say which known corpus a folder is.")
@click.option(
    "--convert",
    type=folder,
    metavar="DIR",
    help="Write the sound of the videos in a folder beside them, as FLAC; needs ffmpeg.",
)
@json_option
@progress_option
@cache_option
def corpora(
    check: Path | None,
    convert: Path | None,
    as_json: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
) -> None:
    """List the corpora that are known, and where they were found."""
    if check and convert:
        raise InputError("--check and --convert: expected one of them")
    if check:
        _check(check, progress, as_json)
    elif convert:
        _convert(convert, progress, as_json)
    else:
        _list(cache_folders, as_json)


def _check(folder: Path, progress: Progress, as_json: bool) -> None:
    from ..manifests import recognise, unrecognised

    with progress:
        found = recognise(folder, progress)
    if as_json:
        echo_json(
            [
                {
                    "name": known.corpus.name,
                    "utterances": known.utterances,
                    "expected": known.expected or None,
                    "problem": known.problem,
                }
                for known in found
            ]
        )
        return
    for known in found:
        echo(str(known))
        words = ["--corpus", known.corpus.name, "--root", str(folder)]
        echo(f"  {known.problem or f'ser extract {shlex.join(words)}'}")
    if others := unrecognised(folder, found):
        complain(f"note: {others}")


def _convert(folder: Path, progress: Progress, as_json: bool) -> None:
    from ..manifests import convert_videos

    with progress:
        done = convert_videos(folder, progress)
    if as_json:
        echo_json({"written": done.written, "failed": done.failed, "notes": done.notes})
    else:
        echo(f"{folder}: {done.written} files written")
        for note in done.notes:
            complain(f"note: {note}")
    for path, problem in done.failed.items():
        complain(f"  {path}: {problem}")
    if done.failed:
        raise click.exceptions.Exit(BAD_FILES)


def _list(cache_folders: tuple[Path, ...], as_json: bool) -> None:
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
                "utterances": (corpus.utterances or None) if corpus else None,
                "speakers": corpus.speakers if corpus else None,
                "licence": corpus.licence if corpus else None,
                "licensees_only": corpus.licensees_only if corpus else None,
                "url": corpus.url if corpus else None,
                "layout": corpus.layout if corpus else None,
                "root": str(root) if root else None,
                "cached": name in cached,
            }
        )
    if as_json:
        echo_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        found = (
            f"audio in {row['root']}" if row["root"] else f"audio: set {root_variable(row['name'])}"
        )
        echo(f"{row['name']:{width}} {row['title']}")
        if row["url"]:
            size = f"{row['utterances']} utterances" if row["utterances"] else "size by release"
            speakers = "" if row["speakers"] else ", speakers not known"
            echo(
                f"{'':{width}} {row['language']}, {size}{speakers}; licence: {row['licence']}; "
                f"{row['url']}"
            )
        echo(f"{'':{width}} {found}; {'in the cache' if row['cached'] else 'not in the cache'}")
