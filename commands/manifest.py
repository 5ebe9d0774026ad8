"""`ser manifest`: which utterances a corpus has, and their labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..progress import Progress
from .corpus_options import corpus_options, given_corpus, option_pairs, report_bad
from .options import GivenPath, json_option, progress_option
from .printing import complain, echo, echo_json

if TYPE_CHECKING:
    from ..manifests import Manifest, ManifestForm


@click.group()
def manifest() -> None:
    """Which utterances a corpus has, and their labels."""


@manifest.command("build")
@corpus_options
@click.option("--out", type=GivenPath(path_type=Path, dir_okay=False), help="[default: CORPUS.csv]")
@click.option("--overwrite", is_flag=True, help="Replace a file that is something else.")
@progress_option
def manifest_build(
    corpus: str,
    out: Path | None,
    overwrite: bool,
    progress: Progress,
    root: Path | None,
    csv: Path | None,
    options: tuple[str, ...],
    **given: Any,
) -> None:
    """Scan a corpus and write its manifest, a CSV."""
    from ..manifests import scan_corpus

    target = out or Path(f"{corpus}.csv")
    if csv and target.exists() and target.samefile(csv):
        raise InputError(f"{target}: would replace the file of --csv; choose another with --out")
    with progress:
        named = given_corpus(corpus, csv, **given)
        build = scan_corpus(root=root, progress=progress, options=option_pairs(options), **named)
    if target.exists() and not overwrite and not _holds(target, build.manifest):
        raise InputError(
            f"{target}: is there and would be replaced; choose another with --out, or say "
            "--overwrite"
        )
    build.manifest.save(target)
    echo(
        f"{target}: {len(build.manifest)} utterances, {build.manifest.hours:.2f} h, "
        f"manifest {build.manifest.id}"
    )
    echo("  " + ", ".join(f"{k} {v}" for k, v in build.manifest.counts().items()))
    if build.licence:
        echo(f"  licence: {build.licence}")
    report_bad(build.bad, build.root)


def _holds(file: Path, made: Manifest) -> bool:
    """Whether a file is this manifest, with or without its fingerprints."""
    from ..manifests import FINGERPRINT, Manifest

    try:
        held = Manifest.load(file)
    except InputError:
        return False
    one, other = (m.table.drop(columns=FINGERPRINT, errors="ignore") for m in (held, made))
    return one.equals(other)


@manifest.command("export")
@click.argument("file", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", metavar="DEST", type=GivenPath(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["audformat", "kaldi"]), required=True, help="Whose form."
)
@click.option(
    "--root",
    type=GivenPath(path_type=Path),
    help="Folder of the corpus, with which paths are to begin  [default: they are relative to it].",
)
@click.option("--licence", default="", help="Of a corpus of your own, where the form has a place.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def manifest_export(
    file: Path, folder: Path, form: ManifestForm, root: Path | None, licence: str, overwrite: bool
) -> None:
    """Write a manifest file as the new folder DEST, for those who do not use this tool.

    audformat: a database, read by audformat and audb. kaldi: a data folder. No audio is copied;
    `--from FORMAT:DEST` reads both.
    """
    from ..manifests import Manifest, export_manifest

    loaded = Manifest.load(file)
    notes = export_manifest(loaded, folder, form, root=root, licence=licence, overwrite=overwrite)
    echo(f"{folder}: {len(loaded)} utterances of {loaded.corpus}")
    for note in (*loaded.notes, *notes):
        complain(f"note: {note}")


@manifest.command("check")
@click.argument("file", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@json_option
def manifest_check(file: Path, as_json: bool) -> None:
    """Check a manifest file line by line."""
    from ..manifests import Manifest, speaker_emotion_confounding

    checked = Manifest.load(file)
    speakers = speaker_emotion_confounding(checked)
    for note in checked.notes:
        complain(f"warning: {note}")
    if speakers.confounded:
        complain(f"warning: {speakers}: do not standardise per speaker")
    if as_json:
        summary = {
            "corpus": checked.corpus,
            "language": checked.language,
            "utterances": len(checked),
            "hours": checked.hours,
            "id": checked.id,
            "emotions": checked.counts(),
            "confounding": {
                "information": speakers.information,
                "entropy": speakers.entropy,
                "expected": speakers.expected,
                "p": speakers.p,
                "share": speakers.share,
                "confounded": speakers.confounded,
            },
        }
        echo_json(summary)
        return
    echo(f"{file}: {checked.corpus}, {len(checked)} utterances, {checked.hours:.2f} h: sound")
    echo("  " + ", ".join(f"{k} {v}" for k, v in checked.counts().items()))
    if speakers.entropy:
        echo(f"  {speakers}")
