"""`ser cache verify`: whether what is cached is whole."""

from __future__ import annotations

from pathlib import Path

import click

from ...progress import Progress
from ..options import cache_option, json_option, open_cache, progress_option
from ..printing import echo, echo_json


@click.command("verify")
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
