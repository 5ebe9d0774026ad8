"""`ser cache export`: cached features for those who do not use this tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import listing
from ...progress import Progress
from ..options import (
    GivenPath,
    cache_option,
    feature_names,
    open_cache,
    progress_option,
    split_names,
)
from ..printing import complain, echo

if TYPE_CHECKING:
    from ...cache.exchange import Form


@click.command("export")
@click.argument("folder", metavar="DEST", type=GivenPath(path_type=Path))
@click.option("--corpus", required=True, help="Whose features.")
@click.option("--features", multiple=True, required=True, help="Comma-separated.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "npz", "npy"]),
    default="parquet",
    show_default=True,
    help="One file, one for each feature, or one for each feature and utterance.",
)
@click.option("--skip-missing", is_flag=True, help="Leave out utterances that lack a feature.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
@progress_option
@cache_option
def cache_export(
    folder: Path,
    corpus: str,
    features: tuple[str, ...],
    form: Form,
    skip_missing: bool,
    overwrite: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
) -> None:
    """Write features of a corpus into the new folder DEST, for those who do not use this tool.

    Parquet is read by Hugging Face datasets, pandas and the like. The manifest lies beside it, and
    features.json, which says what each feature is and under which licence.
    """
    from ...cache.exchange import export_features

    cache = open_cache(cache_folders)
    with progress:
        report = export_features(
            cache,
            folder,
            corpus,
            feature_names(cache, split_names("--features", features)),
            form=form,
            skip_missing=skip_missing,
            overwrite=overwrite,
            progress=lambda done, total: progress.show(f"{done} of {total} written", done, total),
        )
    echo(
        f"{report.folder}: {', '.join(report.keys)} of {report.utterances} utterances of {corpus}, "
        f"{report.bytes / 1e6:.1f} MB"
    )
    if report.skipped:
        complain(f"{len(report.skipped)} utterances lack a feature: {listing(report.skipped)}")
