"""The command line: parses, calls one function, prints."""

from __future__ import annotations

import errno
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import InputError, SerError

if TYPE_CHECKING:
    from .cache import Cache
    from .manifests import BadFile, Build

Command = Callable[..., Any]

FEATURES = "mfcc,ge2e"


class Commands(click.Group):
    """A group whose errors are one message and an exit code; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SerError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"ser: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if ctx.params.get("debug") or error.errno == errno.EPIPE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"ser: {where}{error.strerror or error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo(
                "ser: interrupted; finished features are in the cache, finished runs of a table in "
                "its folder; a single run is not kept",
                err=True,
            )
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            kind = type(error).__name__
            click.echo(f"ser: unexpected {kind}: {error} (ser --debug shows where)", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ser")
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
def main(debug: bool) -> None:
    """Multilingual speech emotion recognition in two stages.

    \b
      ser extract --corpus emodb --root DIR     once: audio to cached features
      ser train --setting single --corpus emodb often: cached features to a model
    """


cache_option = click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the cache [default: $SER_CACHE, else the user's cache folder].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_cache(folder: Path | None) -> Cache:
    from .cache import Cache, default_cache_folder

    return Cache(folder or default_cache_folder())


def corpus_options(command: Command) -> Command:
    """How a corpus is named and found; shared by `manifest build` and `extract`."""
    for option in reversed(
        (
            click.option("--corpus", required=True, help="A known corpus, or a name of your own."),
            click.option(
                "--root",
                type=click.Path(path_type=Path),
                help="Folder of the corpus [default: $SER_<CORPUS>_ROOT, or the CSV's folder].",
            ),
            click.option(
                "--csv",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
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


@main.command()
@json_option
@cache_option
def corpora(as_json: bool, cache_folder: Path | None) -> None:
    """List the corpora that are known, and where they were found."""
    from .manifests import CORPORA, find_root, root_variable

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
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        found = (
            f"audio in {row['root']}" if row["root"] else f"audio: set {root_variable(row['name'])}"
        )
        click.echo(f"{row['name']:9} {row['title']}")
        if row["url"]:
            click.echo(
                f"{'':9} {row['language']}, {row['utterances']} utterances; "
                f"licence: {row['licence']}; {row['url']}"
            )
        click.echo(f"{'':9} {found}; {'in the cache' if row['cached'] else 'not in the cache'}")


@main.group()
def manifest() -> None:
    """Which utterances a corpus has, and their labels."""


@manifest.command("build")
@corpus_options
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="[default: CORPUS.csv]"
)
def manifest_build(corpus: str, out: Path | None, **source: Any) -> None:
    """Scan a corpus and write its manifest, a CSV."""
    build = scan(corpus, **source)
    target = out or Path(f"{corpus}.csv")
    build.manifest.save(target)
    click.echo(
        f"{target}: {len(build.manifest)} utterances, {build.manifest.hours:.2f} h, "
        f"manifest {build.manifest.id}"
    )
    click.echo("  " + ", ".join(f"{k} {v}" for k, v in build.manifest.counts().items()))
    report_bad(build.bad)


@manifest.command("check")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def manifest_check(file: Path, as_json: bool) -> None:
    """Check a manifest file line by line."""
    from .manifests import Manifest

    found = Manifest.load(file)
    if as_json:
        summary = {
            "corpus": found.corpus,
            "language": found.language,
            "utterances": len(found),
            "hours": found.hours,
            "id": found.id,
            "emotions": found.counts(),
        }
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"{file}: {found.corpus}, {len(found)} utterances, {found.hours:.2f} h: sound")
    click.echo("  " + ", ".join(f"{k} {v}" for k, v in found.counts().items()))


def scan(
    corpus: str,
    root: Path | None,
    csv: Path | None,
    language: str | None,
    options: tuple[str, ...],
) -> Build:
    """Build a manifest with progress; warnings go to stderr."""
    from .manifests import ProbeCache, build_manifest
    from .progress import Progress

    pairs: Mapping[str, str] = dict(_pair(option) for option in options)
    with Progress() as bar:
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


def split_names(option: str, text: str) -> list[str]:
    """Names between commas; an empty one is an error."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option} {text!r}: expected names with commas between")
    return names


def report_bad(bad: list[BadFile]) -> None:
    """List the files that could not be used, and make the exit code say so."""
    if not bad:
        return
    click.echo(f"{len(bad)} bad file{'s' if len(bad) > 1 else ''}, left out:", err=True)
    for file in bad:
        click.echo(f"  {file.path}: {file.reason}", err=True)
    raise click.exceptions.Exit(InputError.exit_code)


@main.command()
@corpus_options
@click.option(
    "--manifest",
    "manifest_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A manifest to use instead of scanning; its labels replace those in the cache.",
)
@click.option("--features", default=FEATURES, show_default=True, help="Comma-separated.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, ...")
@click.option("--workers", type=click.IntRange(0), help="Processes that decode [default: cores].")
@click.option("--replace", is_flag=True, help="Replace the manifest in the cache by this one.")
@cache_option
def extract(
    corpus: str,
    manifest_file: Path | None,
    features: str,
    device: str,
    workers: int | None,
    replace: bool,
    cache_folder: Path | None,
    **source: Any,
) -> None:
    """Run the backbones over a corpus and cache their features.

    What is cached already is not computed again; what an interrupted run had finished is kept.
    """
    from .cache import store_manifest
    from .extract import extract as run
    from .extract import make_backbones
    from .manifests import Build, Manifest, find_root, root_variable
    from .progress import Progress

    cache = open_cache(cache_folder)
    names = split_names("--features", features)
    # What is wrong with one, missing weights included, comes out before any audio is read.
    backbones = make_backbones(names, device)
    called = {spec: backbone.key().feature for spec, backbone in backbones.items()}
    if manifest_file:
        if any(source[name] for name in ("csv", "language", "options")):
            raise InputError("--manifest takes the place of --csv, --language and --option")
        build = Build(Manifest.load(manifest_file), [], [])
        if build.manifest.corpus != corpus:
            raise InputError(f"{manifest_file} is of {build.manifest.corpus}, not of {corpus}")
        replace = True
    else:
        build = scan(corpus, **source)
    note = store_manifest(cache, build.manifest, replace)
    if note:
        click.echo(f"note: {note}", err=True)
    root = source["root"] or find_root(corpus) or (source["csv"].parent if source["csv"] else None)
    if root is None:
        raise InputError(f"where is {corpus}? Give --root DIR, or set {root_variable(corpus)}")
    with Progress() as bar:

        def progress(done: int, total: int, seconds: float) -> None:
            hours = seconds / 3600
            bar.show(
                f"{corpus}: {done} of {total} utterances, {done / bar.seconds:.1f} a second; "
                f"{hours:.2f} h of audio, {hours / bar.seconds:.4f} h a second"
            )

        report = run(
            build.manifest, root, names, cache, device=device, workers=workers, progress=progress
        )
    total = len(build.manifest)
    for name, computed in report.computed.items():
        there = computed + report.present[name]
        missing = "nothing was missing" if not computed and there == total else f"{computed} new"
        click.echo(f"{corpus} {called[name]}: {there} of {total} cached, {missing}")
    if any(report.computed.values()):
        hours = report.audio_seconds / 3600
        click.echo(f"{hours:.2f} h of audio in {report.seconds:.1f} s", err=True)
    report_bad([*build.bad, *report.bad])


@main.group("cache")
def cache_group() -> None:
    """Look after the cache."""


@cache_group.command("ls")
@cache_option
@json_option
def cache_ls(cache_folder: Path | None, as_json: bool) -> None:
    """List what is cached."""
    cache = open_cache(cache_folder)
    holdings = cache.listing()
    if as_json:
        rows = [
            {
                "feature": holding.key.feature,
                "key": holding.key.hash,
                "corpus": holding.corpus,
                "utterances": holding.utterances,
                "hours": holding.hours,
                "bytes": holding.bytes,
                "shards": holding.shards,
                "damaged": holding.damaged,
            }
            for holding in holdings
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{cache.folder}: {'empty' if not holdings else ''}".rstrip())
    for holding in holdings:
        hours = f"{holding.hours:.2f} h" if holding.hours is not None else "? h"
        damaged = f", {holding.damaged} DAMAGED: run ser cache verify" if holding.damaged else ""
        click.echo(
            f"  {holding.corpus:10} {holding.key.feature:20} {holding.key.hash[:8]}  "
            f"{holding.utterances:6} utterances  {hours:>8}  {holding.bytes / 1e6:8.1f} MB  "
            f"{holding.shards} shard{'s' if holding.shards > 1 else ''}{damaged}"
        )


@cache_group.command("verify")
@cache_option
@json_option
def cache_verify(cache_folder: Path | None, as_json: bool) -> None:
    """Check every byte of the cache; exit code 0 only if all is whole."""
    from .progress import Progress

    cache = open_cache(cache_folder)
    with Progress() as bar:
        report = cache.verify(
            lambda done, total: bar.show(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB checked")
        )
    if as_json:
        found = {
            "whole": report.whole,
            "shards": report.shards,
            "utterances": report.utterances,
            "bytes": report.bytes,
            "problems": [{"path": str(p.path), "reason": p.reason} for p in report.problems],
        }
        click.echo(json.dumps(found, indent=2))
    else:
        for problem in report.problems:
            click.echo(str(problem))
        verdict = "all whole" if report.whole else f"{len(report.problems)} damaged"
        click.echo(
            f"{cache.folder}: {report.shards} shards, {report.utterances} utterances, "
            f"{report.bytes / 1e6:.1f} MB checked: {verdict}"
        )
    if not report.whole:
        raise click.exceptions.Exit(1)


@cache_group.command("rm")
@click.argument("feature")
@click.option("--corpus", help="Only of this corpus.")
@cache_option
def cache_rm(feature: str, corpus: str | None, cache_folder: Path | None) -> None:
    """Remove a feature, e.g. `mfcc`, or one version of it, `mfcc@1a2b`."""
    removal = open_cache(cache_folder).remove(feature, corpus)
    click.echo(f"removed {removal.shards} shards, {removal.bytes / 1e6:.1f} MB")


@main.group("weights")
def weights_group() -> None:
    """Weights of models that do not come with a package."""


@weights_group.command("ls")
@json_option
def weights_ls(as_json: bool) -> None:
    """List what is known, where it comes from, and what is here."""
    from .extract.fetch import survey
    from .extract.weights import weights_folder

    holdings = survey()
    if as_json:
        rows = [
            {
                "name": holding.weights.name,
                "feature": holding.weights.feature,
                "url": holding.weights.url,
                "licence": holding.weights.licence,
                "state": holding.state,
                "bytes": holding.size,
                "sha256": holding.hash,
                "revision": holding.revision,
                "path": str(holding.path),
            }
            for holding in holdings
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{weights_folder()}:")
    for holding in holdings:
        about = "" if holding.hash else "about "
        size = f"{about}{holding.size / 1e6:.0f} MB" if holding.size else "size unknown"
        sha = f"  sha256 {holding.hash[:12]}" if holding.hash else ""
        click.echo(f"  {holding.weights.feature:36} {holding.state:8} {size:>14}{sha}")
        click.echo(f"    {holding.weights.url}; licence: {holding.weights.licence}")
        if holding.state == "damaged":
            click.echo(f"    NOT the bytes that are known or were recorded: remove {holding.path}")


@weights_group.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--revision", help="Of a model on the hub: a branch, tag or commit.")
def weights_fetch(names: tuple[str, ...], revision: str | None) -> None:
    """Fetch weights, by feature (wav2vec) or model (hf:microsoft/wavlm-base-plus).

    Without a name: those of the features that have one model, allosaurus, wav2vec, byol and
    wav2vec2. What is here is verified and not fetched again.
    """
    from .extract.fetch import fetch
    from .extract.weights import DEFAULT, find_weights
    from .progress import Progress

    if revision and len(names) != 1:
        raise InputError("--revision goes with one model")
    bar = Progress()
    for weights in [find_weights(name) for name in names] or DEFAULT:

        def progress(done: int, total: int | None, name: str = weights.name) -> None:
            of = f" of {total / 1e6:.1f}" if total else ""
            bar.show(f"{name}: {done / 1e6:.1f}{of} MB")

        path = fetch(weights, progress, revision=revision)
        bar.close()
        click.echo(f"{weights.feature}: {path}")


def training_options(command: Command) -> Command:
    """How models are trained and tested; shared by `train` and `reproduce`."""
    for option in reversed(
        (
            click.option(
                "--features", default=FEATURES, show_default=True, help="Comma-separated."
            ),
            click.option(
                "--repeats", type=click.IntRange(1), help="[default: 5; 1 for --protocol speaker]"
            ),
            click.option(
                "--protocol",
                type=click.Choice(["paper", "speaker", "authors"]),
                default="paper",
                show_default=True,
            ),
            click.option(
                "--preset", default="paper", show_default=True, help="paper, strong, a .toml file."
            ),
            click.option(
                "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="e.g. train.lr=5e-4"
            ),
            click.option("--overwrite", is_flag=True, help="Replace different runs in the folder."),
            click.option(
                "--device", default="auto", show_default=True, help="auto, cpu, cuda, ..."
            ),
            click.option(
                "--workers", type=click.IntRange(1), help="Runs side by side [default: cores]."
            ),
        )
    ):
        command = option(command)
    return command


@main.command()
@click.option("--setting", type=click.Choice(["single", "baseline", "multidomain"]), required=True)
@click.option("--corpus", required=True, help="One, or with multidomain several: A,B,C.")
@click.option(
    "--method",
    help="Of multidomain: base, sb, omoe, mmoe or ours.  [default: ours]",
)
@training_options
@click.option(
    "--split",
    "splits",
    type=click.Path(path_type=Path, exists=True),
    help="Use the splits of this file, or those in the folder of another run.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder [default: runs/...].")
@click.option("--skip-missing", is_flag=True, help="Leave out utterances that lack a feature.")
@json_option
@cache_option
def train(
    setting: str,
    corpus: str,
    method: str | None,
    features: str,
    repeats: int | None,
    protocol: str,
    preset: str,
    overrides: tuple[str, ...],
    splits: Path | None,
    out: Path | None,
    overwrite: bool,
    skip_missing: bool,
    device: str,
    workers: int | None,
    as_json: bool,
    cache_folder: Path | None,
) -> None:
    """Train and test on cached features; write a run folder."""
    from .progress import Progress
    from .train.processes import prepare_workers

    prepare_workers()
    from .train.config import load_config
    from .train.report import describe_run
    from .train.request import DEFAULT_METHOD, Request, default_repeats
    from .train.train import default_out, train

    if setting == "baseline" and overrides:
        raise InputError("--set: the baseline has no settings")
    if splits and repeats:
        raise InputError("--repeats: the file of --split says how many there are")
    request = Request(
        setting=setting,
        corpora=split_names("--corpus", corpus),
        method=method or (DEFAULT_METHOD if setting == "multidomain" else ""),
        features=split_names("--features", features),
        config=load_config(preset, overrides),
        preset=preset,
        protocol=protocol,
        repeats=repeats or default_repeats(protocol),
        splits=splits,
        device=device,
        workers=workers,
        skip_missing=skip_missing,
        overwrite=overwrite,
    )
    with Progress() as bar:
        run = train(request, open_cache(cache_folder), out or default_out(request), bar)
    if run.skipped:
        bar.say(f"note: {len(run.skipped)} utterances lack a feature and were left out")
    if as_json:
        click.echo(json.dumps(run.metrics, indent=2))
    else:
        click.echo(describe_run(run.metrics))
        click.echo(f"\n{run.folder}: {', '.join(sorted(p.name for p in run.folder.iterdir()))}")


@main.command()
@click.argument("what", type=click.Choice(["table3", "table4", "fig3", "fig4"]))
@click.option("--corpus", help="A,B,C  [default: the paper's that are cached]")
@training_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: reproduced/...].")
@json_option
@cache_option
def reproduce(
    what: str,
    corpus: str | None,
    features: str,
    repeats: int | None,
    protocol: str,
    preset: str,
    overrides: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    device: str,
    workers: int | None,
    as_json: bool,
    cache_folder: Path | None,
) -> None:
    """Run the paper's experiments; write its tables and figures.

    \b
    table3  the methods for several corpora, single-domain models, the SVM
    table4  single-domain models with and without the auxiliary loss
    fig3    t-SNE of their test representations
    fig4    every feature alone, beside the weights of the gates

    Ended at any moment and given again, the command goes on with what is missing.
    """
    from .progress import Progress
    from .train.processes import prepare_workers

    prepare_workers()
    from .reproduce.plans import Order, default_out
    from .reproduce.run import reproduce
    from .train.request import default_repeats

    order = Order(
        what=what,
        corpora=split_names("--corpus", corpus) if corpus else [],
        features=split_names("--features", features),
        preset=preset,
        overrides=overrides,
        protocol=protocol,
        repeats=repeats or default_repeats(protocol),
        device=device,
        workers=workers,
        overwrite=overwrite,
    )
    command = shlex.join(["ser", *sys.argv[1:]])
    with Progress() as bar:
        found = reproduce(order, open_cache(cache_folder), out or default_out(order), command, bar)
    if as_json:
        click.echo(json.dumps(found.values, indent=2))
    else:
        click.echo(found.markdown)
        click.echo(f"{found.files[0].parent}: {', '.join(path.name for path in found.files)}")


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for audio, cache and runs.",
)
@json_option
def demo(out: Path, as_json: bool) -> None:
    """Synthesise three small corpora, extract, train, and print the table."""
    from .demo.run import NOTICE, run_demo
    from .progress import Progress
    from .train.report import comparison_table

    with Progress() as bar:
        runs = run_demo(out, bar)
    if as_json:
        click.echo(json.dumps(runs, indent=2))
    else:
        click.echo(comparison_table(runs))
        click.echo(f"\n{NOTICE}")


if __name__ == "__main__":
    sys.exit(main())
