"""`ser cache import`: features that were made elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import InputError, listing
from ...progress import Progress
from ..options import GivenPath, Number, cache_option, open_cache, progress_option, split_names
from ..printing import complain, echo

if TYPE_CHECKING:
    from ...cache.exchange import Dtype, ImportReport, Kind
    from ...manifests import Manifest


@click.command("import")
@click.argument("sources", nargs=-1, required=True, type=GivenPath(path_type=Path))
@click.option("--corpus", multiple=True, required=True, help="Whose features they are, A,B.")
@click.option("--feature", required=True, metavar="NAME", help="The cache calls it import:NAME.")
@click.option(
    "--manifest",
    "manifest_files",
    multiple=True,
    type=GivenPath(path_type=Path, exists=True, dir_okay=False),
    help="The manifest of a corpus  [default: that in the cache].",
)
@click.option(
    "--source",
    metavar="TEXT",
    help='What computed it, such as "WavLM, layer 9"  [default: the name of the file].',
)
@click.option("--licence", default="", metavar="TEXT", help="Under which terms the features are.")
@click.option(
    "--kind", type=click.Choice(["sequence", "vector"]), help="[default: what they look like]"
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    help="[default: float16 where all are, else float32]",
)
@click.option(
    "--frame-rate",
    type=Number(0, min_open=True),
    metavar="HZ",
    help="Frames per second of a sequence  [default: as most utterances have].",
)
@click.option("--column", help="Of the feature, in Parquet with several columns of lists.")
@click.option("--skip-unknown", is_flag=True, help="Leave out what is of no utterance.")
@click.option("--skip-missing", is_flag=True, help="Import though utterances lack it.")
@progress_option
@cache_option
def cache_import(
    sources: tuple[Path, ...],
    corpus: tuple[str, ...],
    feature: str,
    manifest_files: tuple[Path, ...],
    source: str | None,
    licence: str,
    kind: Kind | None,
    dtype: Dtype | None,
    frame_rate: float | None,
    column: str | None,
    skip_unknown: bool,
    skip_missing: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
) -> None:
    """Put features that were made elsewhere into the cache.

    SOURCES are folders of .npy files, .npz, .h5, .parquet, tables of audinterface and opensmile
    (.csv, .parquet), and feature manifests of lhotse (.jsonl, .jsonl.gz). All of it is checked
    against the manifest before anything is written; nothing is unpickled.
    """
    from ...cache.exchange import import_features

    cache = open_cache(cache_folders)
    corpora = split_names("--corpus", corpus)
    with progress:
        report = import_features(
            cache,
            sources,
            _with_manifests(corpora, manifest_files),
            feature,
            source=source,
            licence=licence,
            kind=kind,
            dtype=dtype,
            frame_rate=frame_rate,
            column=column,
            skip_unknown=skip_unknown,
            skip_missing=skip_missing,
            progress=lambda done, total: progress.show(
                f"{done} of {total} utterances", done, total
            ),
        )
    for note in report.notes:
        complain(note)
    _tell(report, corpora)


def _with_manifests(corpora: list[str], files: tuple[Path, ...]) -> list[str | Manifest]:
    """The corpora, by their manifest where one is given."""
    from ...manifests import Manifest

    given: dict[str, Manifest] = {}
    for file in files:
        manifest = Manifest.load(file)
        if manifest.corpus not in corpora or manifest.corpus in given:
            raise InputError(
                f"--manifest {file}: is of {manifest.corpus}; expected one of each of "
                f"{', '.join(corpora)}"
            )
        given[manifest.corpus] = manifest
    return [given.get(corpus, corpus) for corpus in corpora]


def _tell(report: ImportReport, corpora: list[str]) -> None:
    key = report.key
    shape = f"vectors of {key.dim}"
    if key.kind == "sequence":
        rate = f"{key.frame_rate:g} frames a second" if key.frame_rate else "no constant rate"
        shape = f"sequences of {key.dim} columns, {rate}"
    echo(
        f"{', '.join(corpora)} {key.short}: {report.written} utterances imported, {report.present} "
        f"there before; {shape}, {key.dtype}"
    )
    if report.unknown:
        complain(f"left out, no utterances: {listing(map(repr, report.unknown))}")
    if report.missing:
        complain(f"{len(report.missing)} utterances have none: {listing(report.missing)}")
    if report.deviating:
        told = [f"{name} ({n} frames in {s:g} s)" for name, n, s in report.deviating]
        complain(
            f"warning: {len(told)} utterances have other counts of frames than their durations "
            f"say: {listing(told)}"
        )
    echo(f"  as a feature: --features {shlex.quote(key.feature)}")
