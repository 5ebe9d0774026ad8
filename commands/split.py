"""`ser split`: which utterances train, validate and are tested, as files to be shared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .options import (
    GivenPath,
    cache_option,
    folds_option,
    json_option,
    open_cache,
    protocol_option,
    together,
)
from .printing import complain, echo, echo_json, echo_table

if TYPE_CHECKING:
    from ..manifests import Folds, Manifest, Split

corpus_option = click.option("--corpus", required=True, help="One that the cache has.")
written = together(
    click.option(
        "--out", type=GivenPath(path_type=Path, dir_okay=False), required=True, help="File: CSV."
    ),
    click.option("--overwrite", is_flag=True, help="Replace a file that is something else."),
)


@click.group()
def split() -> None:
    """Splits into training, validation and test part, as files."""


@split.command("make")
@corpus_option
@protocol_option
@folds_option
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    help="Seeds from 0.  [default: 5; 1 where a repeat is folds]",
)
@written
@json_option
@cache_option
def split_make(
    corpus: str,
    protocol: str | None,
    folds: Folds,
    repeats: int | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
    cache_folders: tuple[Path, ...],
) -> None:
    """Write the splits that a protocol makes, for `ser train --split`."""
    from ..manifests import check_protocol, make_splits
    from ..train.runs.request import default_repeats

    protocol = protocol or "paper"
    check_protocol(protocol)
    manifest = open_cache(cache_folders).manifest(corpus)
    made = [
        split
        for seed in range(repeats or default_repeats(protocol))
        for split in make_splits(manifest, protocol, seed, folds)
    ]
    _write(out, manifest, made, overwrite)
    _show(out, manifest, made, as_json)


@split.command("import")
@click.argument("file", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@corpus_option
@click.option("--name", required=True, help="What the folds are called, e.g. emobox.")
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=1, help="Seeds from 0.  [default: 1]"
)
@written
@json_option
@cache_option
def split_import(
    file: Path,
    corpus: str,
    name: str,
    repeats: int,
    out: Path,
    overwrite: bool,
    as_json: bool,
    cache_folders: tuple[Path, ...],
) -> None:
    """Write splits by published folds, for `ser train --split`.

    FILE is a CSV, also in gzip, with the columns path and test_fold: for every file the fold that
    tests it, blank for none. Files are known by their names.
    """
    from ..manifests import read_published

    manifest = open_cache(cache_folders).manifest(corpus)
    published = read_published(file, manifest, name, repeats)
    for note in published.notes:
        complain(f"note: {note}")
    _write(out, manifest, published.splits, overwrite)
    _show(out, manifest, published.splits, as_json)


@split.command("check")
@click.argument("file", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@corpus_option
@json_option
@cache_option
def split_check(file: Path, corpus: str, as_json: bool, cache_folders: tuple[Path, ...]) -> None:
    """Check a file of splits line by line, and for leaks."""
    from ..manifests import read_splits

    manifest = open_cache(cache_folders).manifest(corpus)
    _show(file, manifest, read_splits(file, manifest), as_json)


def _write(out: Path, manifest: Manifest, splits: Sequence[Split], overwrite: bool) -> None:
    from ..manifests import read_splits, write_splits

    if out.exists() and not overwrite:
        try:
            same = read_splits(out, manifest) == list(splits)
        except InputError:
            same = False
        if not same:
            raise InputError(
                f"{out}: is there and would be replaced; choose another with --out, or say "
                "--overwrite"
            )
    write_splits(out, manifest, splits)


def _show(file: Path, manifest: Manifest, splits: Sequence[Split], as_json: bool) -> None:
    """The sizes of all parts, and what is kept apart."""
    from ..manifests import described, shared_speakers

    rows: list[dict[str, Any]] = [
        {
            "protocol": split.protocol,
            "seed": split.seed,
            "fold": split.fold,
            **{part: len(ids) for part, ids in split.parts().items()},
            "unused": len(manifest) - sum(map(len, split.parts().values())),
            "speakers_shared": shared_speakers(manifest, split),
        }
        for split in splits
    ]
    if as_json:
        echo_json({"file": str(file), "corpus": manifest.corpus, "splits": rows})
        return
    protocols = ", ".join(dict.fromkeys(split.protocol for split in splits))
    echo(f"{file}: {manifest.corpus}, protocol {protocols}, {len(splits)} splits; none leaks")
    heads = ["seed", "fold", "train", "validation", "test", "unused", "speakers_shared"]
    titles = [head.replace("_", " ") for head in heads]
    echo_table([titles, *([str(row[head]) for head in heads] for row in rows)])
    for protocol in dict.fromkeys(split.protocol for split in splits):
        echo(f"Tested {described(protocol)}.")
    known = all(manifest.table["speaker"])
    most = max(row["speakers_shared"] for row in rows)
    if most:
        echo(f"Speakers overlap: up to {most} of a test part are in training too.")
    else:
        echo("No test speaker is in training." if known else "The speakers are not all known.")
