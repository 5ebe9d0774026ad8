"""From audio to cached features: `corpora`, `manifest`, `extract`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BAD_FILES, InputError
from .options import (
    Command,
    GivenPath,
    cache_option,
    features_option,
    json_option,
    open_cache,
    split_names,
)
from .printing import complain, echo, echo_json

if TYPE_CHECKING:
    from ..manifests import BadFile, Build, Manifest


def corpus_options(command: Command) -> Command:
    """How a corpus is named and found; shared by `manifest build` and `extract`."""
    for option in reversed(
        (
            click.option("--corpus", required=True, help="A known corpus, or a name of your own."),
            click.option(
                "--root",
                type=GivenPath(path_type=Path),
                help="Folder of the corpus [default: $SER_<CORPUS>_ROOT, or the CSV's folder].",
            ),
            click.option(
                "--csv",
                type=GivenPath(path_type=Path, exists=True, dir_okay=False),
                help="For a corpus of your own: a CSV with the columns path and emotion, and "
                "where known speaker, gender, id.",
            ),
            click.option("--language", help="Language of a corpus of your own, e.g. pt."),
            click.option(
                "--option",
                "options",
                multiple=True,
                metavar="NAME=VALUE",
                help="An option of the corpus, e.g. intensity=all for cafe.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command()
@json_option
@cache_option
def corpora(as_json: bool, cache_folder: Path | None) -> None:
    """List the corpora that are known, and where they were found."""
    from ..manifests import CORPORA, find_root, root_variable

    cached = set(open_cache(cache_folder).corpora())
    rows: list[dict[str, Any]] = []
    for name in [*CORPORA, *sorted(cached - set(CORPORA))]:
        corpus, root = CORPORA.get(name), find_root(name)
        rows.append(
            {
                "name": name,
                "title": corpus.title if corpus else "a corpus of your own",
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


@click.group()
def manifest() -> None:
    """Which utterances a corpus has, and their labels."""


@manifest.command("build")
@corpus_options
@click.option("--out", type=GivenPath(path_type=Path, dir_okay=False), help="[default: CORPUS.csv]")
@click.option("--overwrite", is_flag=True, help="Replace a file that is something else.")
def manifest_build(corpus: str, out: Path | None, overwrite: bool, **source: Any) -> None:
    """Scan a corpus and write its manifest, a CSV."""
    target = out or Path(f"{corpus}.csv")
    listed = source["csv"]
    if listed and target.exists() and target.samefile(listed):
        raise InputError(f"{target}: would replace the file of --csv; choose another with --out")
    build = scan(corpus, **source)
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
    report_bad(build.bad, corpus_root(corpus, source["root"], source["csv"]))


def _holds(file: Path, made: Manifest) -> bool:
    """Whether a file is this manifest, with or without its fingerprints."""
    from ..manifests import FINGERPRINT, Manifest

    try:
        there = Manifest.load(file)
        one, other = (m.table.drop(columns=FINGERPRINT, errors="ignore") for m in (there, made))
        return one.equals(other)
    except InputError:
        return False


@manifest.command("check")
@click.argument("file", type=GivenPath(path_type=Path, exists=True, dir_okay=False))
@json_option
def manifest_check(file: Path, as_json: bool) -> None:
    """Check a manifest file line by line."""
    from ..manifests import Manifest

    found = Manifest.load(file)
    for note in found.notes:
        complain(f"warning: {note}")
    if as_json:
        summary = {
            "corpus": found.corpus,
            "language": found.language,
            "utterances": len(found),
            "hours": found.hours,
            "id": found.id,
            "emotions": found.counts(),
        }
        echo_json(summary)
        return
    echo(f"{file}: {found.corpus}, {len(found)} utterances, {found.hours:.2f} h: sound")
    echo("  " + ", ".join(f"{k} {v}" for k, v in found.counts().items()))


def scan(
    corpus: str,
    root: Path | None,
    csv: Path | None,
    language: str | None,
    options: tuple[str, ...],
) -> Build:
    """Build a manifest with progress; warnings go to stderr."""
    from ..manifests import ProbeCache, build_manifest
    from ..progress import Progress

    pairs = dict(map(_pair, options))
    if len(pairs) < len(options):
        raise InputError("--option: each option once; several words go in one, emotions=awe,pain")
    with Progress() as bar:
        bar.show(f"{corpus}: looking for its files")
        build = build_manifest(
            corpus,
            root,
            csv=csv,
            language=language,
            options=pairs,
            known=ProbeCache.default(),
            progress=lambda done, total: bar.show(f"{corpus}: {done} of {total} files read"),
        )
        for warning in build.warnings:
            bar.say(f"warning: {warning}")
    return build


def _pair(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals:
        raise InputError(f"--option {option}: expected NAME=VALUE")
    return name, value


def corpus_root(corpus: str, root: Path | None, csv: Path | None) -> Path:
    """The folder of a corpus: as given, else as the environment has it, else the CSV's."""
    from ..manifests import find_root, root_variable

    found = root or find_root(corpus) or (csv.parent if csv else None)
    if found is None:
        raise InputError(f"where is {corpus}? Give --root DIR, or set {root_variable(corpus)}")
    return found


def report_bad(
    bad: list[BadFile], root: Path, scope: Callable[[BadFile], str] = lambda _: ""
) -> None:
    """List the files that could not be used; the exit code says so where one was not known."""
    from ..manifests import BadFileMemory

    new = BadFileMemory.default().remember(root, bad, scope)
    if new:
        complain(f"{_bad_files(len(new))}, left out:")
        for file in new:
            complain(f"  {file.path}: {file.reason}")
    if len(bad) > len(new):
        known = _bad_files(len(bad) - len(new), "more " if new else "")
        complain(f"{known}, known before, left out")
    if new:
        raise click.exceptions.Exit(BAD_FILES)


def _bad_files(count: int, more: str = "") -> str:
    return f"{count} {more}bad file{'s' if count > 1 else ''}"


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
    from ..manifests import Build, Manifest, audio_path
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
