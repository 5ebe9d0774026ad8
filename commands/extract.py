"""`ser extract`: from audio to cached features."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import TO_DO, InputError
from ..progress import Progress
from .corpus_options import corpus_options, given_corpus, option_pairs, report_bad
from .options import (
    GivenPath,
    Number,
    cache_option,
    cluster_options,
    device_option,
    dry_run_option,
    features_option,
    json_option,
    named_cluster,
    open_cache,
    progress_option,
    shard_option,
    split_names,
)
from .printing import complain, echo, echo_json

if TYPE_CHECKING:
    from ..extract import ExtractPlan, FeaturePlan
    from ..manifests import BadFile
    from ..portion import Portion


@click.command()
@corpus_options
@click.option(
    "--manifest",
    "manifest_file",
    type=GivenPath(path_type=Path, exists=True, dir_okay=False),
    help="A manifest to use instead of scanning; its labels replace those in the cache.",
)
@features_option
@click.option(
    "--perturb",
    default="",
    metavar="NAMES",
    help="Also the same features of perturbed recordings, to train on with augment.perturb: e.g. "
    "speed0.9,speed1.1,noise20, or pitch2.",
)
@device_option
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that decode; on a cluster, that do all of it  [default: cores; what has room].",
)
@cluster_options
@click.option(
    "--fail-over",
    type=Number(0, 1),
    metavar="SHARE",
    help="End once more than this share of the files is bad, e.g. .05  [default: never, unless all "
    "of the first hundred are].",
)
@click.option(
    "--remote",
    metavar="URL",
    help="Have the workers of --cluster bring the features there, e.g. s3://BUCKET/PATH, in place "
    "of the cache.",
)
@shard_option
@dry_run_option
@json_option
@click.option("--replace", is_flag=True, help="Replace the manifest in the cache by this one.")
@click.option("--licence", help="Of a corpus of your own; told whoever the cache is shared with.")
@click.option(
    "--licensees-only",
    is_flag=True,
    help="Only those who signed for it may have the corpus: `ser cache push` asks first.",
)
@progress_option
@cache_option
def extract(
    corpus: str,
    manifest_file: Path | None,
    features: tuple[str, ...],
    perturb: str,
    device: str,
    workers: int | None,
    cluster: str,
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
    fail_over: float | None,
    remote: str | None,
    portion: Portion,
    dry_run: bool,
    as_json: bool,
    replace: bool,
    licence: str | None,
    licensees_only: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
    root: Path | str | None,
    options: tuple[str, ...],
    **given: Any,
) -> None:
    """Run the backbones over a corpus and cache their features.

    What is cached already is not computed again; what an interrupted run had finished is kept.
    Several may run at once, also on machines that share the cache: they share the work. With
    --shard each does its own portion of the utterances and waits for nobody.
    Files that cannot be used are listed and left out; the exit code is 3 where one of them was not
    known from an earlier run.
    """
    from ..cache import Terms
    from ..cache.keys import PERTURB
    from ..cache.perturbations import perturbations
    from ..extract import extract_corpus, plan_corpus

    if manifest_file and given["source"]:
        raise InputError("--manifest takes the place of --from")
    names = split_names("--features", features)
    ways = ["", *(f":{PERTURB}={how}" for how in perturbations(perturb))]
    crew = named_cluster(cluster, workers, cpus_per_worker, gpus_per_worker)
    wanted: dict[str, Any] = {
        "root": root,
        "features": [name + way for way in ways for name in names],
        "cache": open_cache(cache_folders),
        "options": option_pairs(options),
        "manifest": manifest_file,
        "portion": portion,
        "crew": crew,
        "remote": remote,
        "progress": progress,
        "replace": replace,
        **given_corpus(corpus, **given),
    }
    if dry_run:
        _tell_plan(plan_corpus(**wanted), as_json)
    if as_json:
        raise InputError("--json: is for --dry-run")
    told = licence is not None or licensees_only
    report = extract_corpus(
        **wanted,
        terms=Terms(licence or "", licensees_only=licensees_only) if told else None,
        device=crew.device if crew and device == "auto" else device,
        workers=workers,
        fail_over=fail_over,
    )
    total, of = len(report.ids), f" {portion}" if portion.count > 1 else ""
    for name, computed in report.computed.items():
        cached = computed + report.present[name]
        missing = "nothing was missing" if not computed and cached == total else f"{computed} new"
        echo(f"{corpus}{of} {report.keys[name].feature}: {cached} of {total} cached, {missing}")
    if any(report.computed.values()):
        hours, speed = report.audio_seconds / 3600, report.audio_seconds / report.seconds
        complain(f"{hours:.2f} h of audio in {report.seconds:.1f} s, {speed:.0f}x real time")

    def scope(bad: BadFile) -> str:
        """The key of the feature that a file is bad for, as the reason begins with its name."""
        keys = report.keys.items()
        return next((key.hash for spec, key in keys if bad.reason.startswith(f"{spec}: ")), "")

    report_bad(report.bad, report.root, scope)


def _tell_plan(plan: ExtractPlan, as_json: bool) -> None:
    """Print what there is to do, and end with the exit code that says whether."""
    if as_json:
        known = {"corpus": plan.corpus, "utterances": plan.utterances, "manifest": plan.known}
        features = [asdict(feature) for feature in plan.features]
        echo_json({**known, "note": plan.manifest.told or "", "features": features})
    else:
        if not plan.known:
            echo(f"{plan.corpus}: its manifest would be put into the cache")
        if plan.manifest.told:
            complain(f"note: {plan.manifest.told}")
        for feature in plan.features:
            there = f"{plan.utterances - feature.missing} of {plan.utterances} cached"
            echo(f"{plan.corpus} {feature.feature}: {there}, {_left(feature)}")
            if feature.lacks:
                complain(feature.lacks)
        for file in plan.bad:
            complain(f"{file.path}: {file.reason}: would be left out")
    raise click.exceptions.Exit(TO_DO if plan.to_do else 0)


def _left(feature: FeaturePlan) -> str:
    if not feature.missing:
        return "nothing is missing"
    size = "size unknown" if feature.size is None else f"about {feature.size / 1e9:.3g} GB"
    weights = ", its weights are missing" if feature.lacks else ""
    return f"{feature.missing} to compute: {feature.hours:.2f} h of audio, {size}{weights}"
