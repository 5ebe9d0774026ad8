"""`ser cache verify`: whether what is cached is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import InputError
from ...progress import Progress
from ..options import (
    cache_option,
    json_option,
    named_place,
    open_cache,
    progress_option,
    remote_option,
)
from ..printing import echo, echo_json

if TYPE_CHECKING:
    from ...cache import FolderReport, VerifyReport
    from ...cache.remotes import Place


@click.command("verify")
@click.option("--quick", is_flag=True, help="Names, indices, keys and manifests, but no rows.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Shards that are checked at once.  [default: a shard for each core]",
)
@remote_option
@cache_option
@json_option
@progress_option
def cache_verify(
    quick: bool,
    workers: int | None,
    remote: str | None,
    cache_folders: tuple[Path, ...],
    as_json: bool,
    progress: Progress,
) -> None:
    """Check every byte of the cache, folder by folder; exit code 0 only if all is whole."""
    cache = open_cache(cache_folders)
    if remote is not None:
        _verify_remote(named_place(cache, remote), quick, as_json, progress)
        return
    if not any(folder.is_dir() for folder in cache.folders):
        raise InputError(f"{cache}: there is no cache")
    done_to = "looked at" if quick else "checked"
    with progress:
        report = cache.verify(
            lambda done, total: progress.show(
                f"{done / 1e6:.0f} of {total / 1e6:.0f} MB {done_to}", done, total
            ),
            workers,
            quick,
        )
    if as_json:
        folders = [{"folder": str(each.folder)} | _values(each) for each in report.folders]
        echo_json(_values(report) | {"quick": quick, "folders": folders})
    else:
        for problem in report.problems:
            echo(str(problem))
        for each in report.folders:
            verdict = "all whole" if each.whole else f"{len(each.problems)} damaged"
            echo(
                f"{each.folder}: {each.shards} shards, {each.utterances} utterances, "
                f"{each.bytes / 1e6:.1f} MB {done_to}: {verdict}"
            )
    if not report.whole:
        raise click.exceptions.Exit(1)


def _verify_remote(place: Place, quick: bool, as_json: bool, progress: Progress) -> None:
    from ...cache.remotes import verify_place

    with progress:
        shards, problems = verify_place(
            place,
            quick,
            lambda done, total: progress.show(f"{done} of {total} shards", done, total),
        )
    if as_json:
        echo_json({"whole": not problems, "quick": quick, "shards": shards, "problems": problems})
    else:
        for problem in problems:
            echo(problem)
        verdict = f"{len(problems)} damaged" if problems else "all whole"
        echo(f"{place}: {shards} shards {'looked at' if quick else 'checked'}: {verdict}")
    if problems:
        raise click.exceptions.Exit(1)


def _values(report: VerifyReport | FolderReport) -> dict[str, Any]:
    columns = ("whole", "shards", "utterances", "bytes")
    problems = [{"path": str(each.path), "reason": each.reason} for each in report.problems]
    return {column: getattr(report, column) for column in columns} | {"problems": problems}
