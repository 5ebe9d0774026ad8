"""`ser extract`: from audio to cached features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .corpus_options import corpus_options, report_bad, scan
from .options import GivenPath, cache_option, features_option, open_cache, split_names
from .printing import complain, echo

if TYPE_CHECKING:
    from ..manifests import BadFile


@click.command()
@corpus_options
@click.option(
    "--manifest",
    "manifest_file",
    type=GivenPath(path_type=Path, exists=True, dir_okay=False),
    help="A manifest to use instead of scanning; its labels replace those in the cache.",
)
@features_option
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
@click.option("--workers", type=click.IntRange(0), help="Processes that decode [default: cores].")
@click.option("--replace", is_flag=True, help="Replace the manifest in the cache by this one.")
@cache_option
def extract(
    corpus: str,
    manifest_file: Path | None,
    features: tuple[str, ...],
    device: str,
    workers: int | None,
    replace: bool,
    cache_folder: Path | None,
    **source: Any,
) -> None:
    """Run the backbones over a corpus and cache their features.

    What is cached already is not computed again; what an interrupted run had finished is kept.
    Files that cannot be used are listed and left out; the exit code is 3 where one of them was not
    known from an earlier run.
    """
    from ..cache import store_manifest, with_known_ids
    from ..extract import extract as run
    from ..extract import make_backbones
    from ..manifests import Build, Manifest, audio_path, corpus_root
    from ..progress import Progress

    cache = open_cache(cache_folder)
    names = split_names("--features", features)
    # What is wrong with one, missing weights included, comes out before any audio is read.
    backbones = make_backbones(names, device)
    keys = {spec: backbone.key() for spec, backbone in backbones.items()}
    if manifest_file:
        if any(source[name] for name in ("csv", "language", "options")):
            raise InputError("--manifest takes the place of --csv, --language and --option")
        build = Build(Manifest.load(manifest_file), [], [])
        for told in build.manifest.notes:
            complain(f"warning: {told}")
        if build.manifest.corpus != corpus:
            raise InputError(f"{manifest_file} is of {build.manifest.corpus}, not of {corpus}")
        replace = True
    else:
        build = scan(corpus, **source)
    root = corpus_root(corpus, source["root"], source["csv"])
    paths = build.manifest.table["path"]
    if not any(audio_path(root, path).is_file() for path in paths):
        raise InputError(f"{root}: has none of the files of {corpus}, such as {paths.iloc[0]}")
    utterances = with_known_ids(cache, build.manifest)
    note = store_manifest(cache, utterances, replace)
    if note:
        complain(f"note: {note}")
    with Progress() as bar:

        def progress(done: int, total: int, seconds: float) -> None:
            if not done:
                bar.show(f"{corpus}: {total} utterances to do, starting {', '.join(keys)}")
                return
            bar.show(
                f"{corpus}: {done} of {total} utterances, {done / bar.seconds:.1f} files a second, "
                f"{seconds / bar.seconds:.0f}x real time{bar.left(done, total)}"
            )

        report = run(
            utterances, root, names, cache, device=device, workers=workers, progress=progress
        )
    total = len(build.manifest)
    for name, computed in report.computed.items():
        there = computed + report.present[name]
        missing = "nothing was missing" if not computed and there == total else f"{computed} new"
        echo(f"{corpus} {keys[name].feature}: {there} of {total} cached, {missing}")
    if any(report.computed.values()):
        hours, speed = report.audio_seconds / 3600, report.audio_seconds / report.seconds
        complain(f"{hours:.2f} h of audio in {report.seconds:.1f} s, {speed:.0f}x real time")

    def scope(bad: BadFile) -> str:
        """The key of the feature that a file is bad for, as the reason begins with its name."""
        return next((k.hash for spec, k in keys.items() if bad.reason.startswith(f"{spec}: ")), "")

    report_bad([*build.bad, *report.bad], root, scope)
