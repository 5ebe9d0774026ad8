"""`ser train`: a corpus, its features and a setting in; a run folder and its metrics out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..cache import Cache
from ..errors import InputError
from ..manifests import (
    Manifest,
    Split,
    check_leaks,
    make_splits,
    read_splits,
    shared_speakers,
    write_splits,
)
from .baseline import SETTINGS
from .config import Config
from .data import Domain, load_domain
from .jobs import Job, Outcome, default_workers, run_jobs
from .model import ModelSpec
from .results import domain_metrics
from .run_folder import SPLIT, check_target, new_folder, write_run

PROTOCOLS = ("paper", "speaker")
SETTINGS_OF_TRAINING = ("single", "baseline")


@dataclass(frozen=True)
class Request:
    """What `ser train` was asked for.

    Attributes:
        config: the resolved settings; not used by the baseline.
        splits: a file of splits to use instead of making them.
        workers: runs side by side on a CPU; None: one per core.
        skip_missing: leave out utterances that lack a feature, instead of refusing.
    """

    setting: str
    corpus: str
    features: Sequence[str]
    config: Config
    preset: str = "paper"
    protocol: str = "paper"
    repeats: int = 5
    splits: Path | None = None
    device: str = "auto"
    workers: int | None = None
    skip_missing: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        speakers_shared: test speakers of all splits that are in their training parts too.
        skipped: utterances left out because a feature was missing.
    """

    folder: Path
    metrics: dict[str, Any]
    speakers_shared: int
    skipped: Sequence[str]


def train(
    request: Request,
    cache: Cache,
    out: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> Run:
    """Train and test every repeat, write the run folder `out`, return what it holds.

    Raises MissingFeaturesError (with the command to run) if a feature is not cached, LeakError for
    a split that leaks, InputError for wrong usage.
    """
    started = time.perf_counter()
    features = check_features(request.features)
    manifest, skipped = usable(cache, request, features)
    domain = load_domain(cache, manifest, features)
    loaded = time.perf_counter()
    splits = resolve_splits(request, manifest)
    config = describe(request, manifest, domain, cache, splits)
    check_target(out, config, request.overwrite)

    network = request.setting != "baseline"
    jobs = [Job(split, request.config if network else None) for split in splits]
    device = resolve_device(request.device) if network else torch.device("cpu")
    workers = default_workers() if request.workers is None else request.workers
    outcomes: list[Outcome] = []
    with new_folder(out) as folder:
        for outcome in run_jobs(domain.to(device), jobs, workers):
            outcomes.append(outcome)
            done = f"{request.corpus} {request.setting} {len(outcomes)}/{len(jobs)}"
            progress(f"{done}: {describe_outcome(outcome)}")
        outcomes.sort(key=lambda each: (each.split.seed, each.split.fold))
        metrics = {
            "setting": request.setting,
            "method": "svm" if request.setting == "baseline" else request.setting,
            "features": features,
            "protocol": request.protocol,
            "repeats": len({split.seed for split in splits}),
            "domains": {manifest.corpus: domain_metrics(domain, outcomes)},
            "seconds": {
                "load": round(loaded - started, 3),
                "train": round(time.perf_counter() - loaded, 3),
                "jobs": [round(each.seconds, 3) for each in outcomes],
            },
        }
        write_run(folder, config, metrics, domain, outcomes)
        write_splits(folder / SPLIT, manifest, splits)
    shared = max(shared_speakers(manifest, split) for split in splits)
    return Run(out, metrics, shared, skipped)


def check_features(features: Sequence[str]) -> list[str]:
    """The features as a list; raises InputError for none or one named twice."""
    names = [name.strip() for name in features if name.strip()]
    if not names:
        raise InputError("--features: expected at least one feature, e.g. --features mfcc,ge2e")
    if len(set(names)) < len(names):
        raise InputError(f"--features {','.join(names)}: a feature is named twice")
    return names


def usable(cache: Cache, request: Request, features: Sequence[str]) -> tuple[Manifest, list[str]]:
    """The manifest of the corpus, without utterances that lack a feature if that was asked for."""
    manifest = cache.manifest(request.corpus)
    if not request.skip_missing:
        return manifest, []
    missing = {
        id for name in features for id in cache.missing(cache.resolve(name, manifest), manifest)
    }
    kept = manifest.table[~manifest.table["id"].isin(missing)]
    return Manifest(kept.reset_index(drop=True)), sorted(missing)


def resolve_splits(request: Request, manifest: Manifest) -> list[Split]:
    """The splits of all repeats, from the file that was named or from the protocol; none leaks."""
    if request.splits is not None:
        splits = read_splits(request.splits, manifest)
        if any(split.protocol != request.protocol for split in splits):
            raise InputError(
                f"--split {request.splits}: made for --protocol {splits[0].protocol}, "
                f"not {request.protocol}"
            )
    else:
        splits = [
            split
            for seed in range(request.repeats)
            for split in make_splits(manifest, request.protocol, seed)
        ]
    for split in splits:
        check_leaks(manifest, split)
    return splits


def describe(
    request: Request, manifest: Manifest, domain: Domain, cache: Cache, splits: Sequence[Split]
) -> dict[str, Any]:
    """The content of `config.json`: everything that the numbers depend on, resolved."""
    network = request.setting != "baseline"
    keys = {name: cache.resolve(name, manifest) for name in domain.features}
    spec = ModelSpec.of(domain, request.config.model, request.config.auxiliary)
    return {
        "setting": request.setting,
        "corpora": {
            manifest.corpus: {
                "manifest": manifest.id,
                "language": manifest.language,
                "labels": list(manifest.labels),
                "utterances": len(manifest),
            }
        },
        "features": {
            name: {"key": key.hash, "version": key.version, "weights": key.weights}
            for name, key in keys.items()
        },
        "protocol": request.protocol,
        "seeds": sorted({split.seed for split in splits}),
        "preset": request.preset if network else None,
        "config": request.config.to_dict() if network else dict(SETTINGS),
        "model": spec.to_dict() if network else None,
    }


def resolve_device(name: str) -> torch.device:
    """`auto` is the first GPU if there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {name}: not on this machine; try --device cpu") from error
    return device


def describe_outcome(outcome: Outcome) -> str:
    """What the user sees when a job ends."""
    scores = []
    for member in outcome.history:
        curve, epoch = member["validation_ua"], member["epoch"]
        assert isinstance(curve, list)
        assert isinstance(epoch, int)
        scores.append(f"{curve[epoch - 1]:.3f} (epoch {epoch})")
    validation = f"validation UA {', '.join(scores)}, " if scores else ""
    place = f"repeat {outcome.split.seed}, fold {outcome.split.fold}"
    return f"{place}: {validation}{outcome.seconds:.1f} s"


def default_out(request: Request) -> Path:
    """A new folder named after what is trained and when."""
    when = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{request.corpus}-{request.setting}-{request.protocol}-{when}"
