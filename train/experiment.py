"""`ser train`: a corpus, its features and a setting in; a run folder and its metrics out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..cache import Cache, FeatureKey
from ..cores import cores
from ..device import torch_device
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
from ..progress import Progress
from .baseline import SETTINGS as SVM
from .config import Config
from .data import load_domain
from .functionals import as_encoded
from .jobs import Job, Outcome, run_jobs
from .model import ModelSpec
from .results import domain_metrics
from .run_folder import SPLIT, check_target, new_folder, write_run

SETTINGS = ("single", "baseline")


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
    """A finished run; `skipped` are the utterances left out because a feature was missing."""

    folder: Path
    metrics: dict[str, Any]
    skipped: Sequence[str]


def train(request: Request, cache: Cache, out: Path, progress: Progress | None = None) -> Run:
    """Train and test every repeat, write the run folder `out`, return what it holds.

    Raises:
        MissingFeaturesError: a feature is not cached; the message has the command to run.
        LeakError: a split leaks.
        InputError: wrong usage.
        SerError: the run folder cannot be written, or a training process failed.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    out = out.resolve()
    network = check_request(request)
    device = torch_device(request.device) if network else torch.device("cpu")
    manifest, keys, skipped = usable(cache, request)
    splits = resolve_splits(request, manifest)
    domain = load_domain(cache, manifest, keys)
    if network:
        domain = as_encoded(domain, request.config.model)
    spec = ModelSpec.of(domain, request.config.model, request.config.auxiliary)
    config = describe(request, manifest, keys, splits, device)
    config["model"] = spec.to_dict() if network else None
    check_target(out, config, request.overwrite)
    loaded = time.perf_counter()

    jobs = [Job(split, request.config if network else None) for split in splits]
    workers = cores() if request.workers is None else request.workers
    ticker = Ticker(request, progress, len(jobs))
    outcomes: list[Outcome] = []
    with new_folder(out) as folder:
        for outcome in run_jobs(domain.to(device), jobs, workers, ticker.epoch_done):
            outcomes.append(outcome)
            ticker.job_done(outcome)
        outcomes.sort(key=lambda each: (each.split.seed, each.split.fold))
        metrics = {
            "setting": request.setting,
            "method": request.setting if network else "svm",
            "features": list(keys),
            "protocol": request.protocol,
            "preset": request.preset if network else None,
            "repeats": len({split.seed for split in splits}),
            "domains": {
                manifest.corpus: domain_metrics(domain, outcomes, overlap(manifest, splits))
            },
            "seconds": {
                "load": round(loaded - started, 3),
                "train": round(time.perf_counter() - loaded, 3),
                "jobs": [round(each.seconds, 3) for each in outcomes],
            },
        }
        write_run(folder, config, metrics, domain, outcomes)
        write_splits(folder / SPLIT, manifest, splits)
    return Run(out, metrics, skipped)


def check_request(request: Request) -> bool:
    """Whether a network is to be trained; raises InputError for what does not go together."""
    if request.setting not in SETTINGS:
        raise InputError(f"--setting {request.setting}: expected {' or '.join(SETTINGS)}")
    names = list(request.features)
    if not names or not all(names):
        raise InputError("--features: expected names with commas between, such as mfcc,ge2e")
    settings = request.config
    if settings.train.batch_size < 2 and settings.model.normalisation == "batch":
        raise InputError("train.batch_size=1: batch normalisation needs at least 2 a batch")
    return request.setting != "baseline"


def usable(cache: Cache, request: Request) -> tuple[Manifest, dict[str, FeatureKey], list[str]]:
    """The manifest, the keys of the features by name, and the utterances left out, if asked for."""
    manifest = cache.manifest(request.corpus)
    keys = cache.resolve_all(request.features, manifest)
    if len({key.hash for key in keys.values()}) < len(request.features):
        raise InputError(f"--features {','.join(request.features)}: a feature is named twice")
    if not request.skip_missing:
        return manifest, keys, []
    missing = {id for key in keys.values() for id in cache.missing(key, manifest)}
    kept = [id for id in manifest.ids if id not in missing]
    return manifest.select(kept), keys, sorted(missing)


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
    emotion = dict(zip(manifest.ids, manifest.table["emotion"], strict=True))
    for split in splits:
        check_leaks(manifest, split)
        if len({emotion[id] for id in split.train}) < 2:
            raise InputError(
                f"{manifest.corpus}: the training part of seed {split.seed}, fold {split.fold} has "
                "one emotion only; training needs at least two"
            )
    return splits


def overlap(manifest: Manifest, splits: Sequence[Split]) -> int | None:
    """Most test speakers of a split that are in its training part too; None if not known."""
    if not all(manifest.table["speaker"]):
        return None
    return max(shared_speakers(manifest, split) for split in splits)


def describe(
    request: Request,
    manifest: Manifest,
    keys: Mapping[str, FeatureKey],
    splits: Sequence[Split],
    device: torch.device,
) -> dict[str, Any]:
    """The content of `config.json`: everything that the numbers depend on, resolved."""
    network = request.setting != "baseline"
    rows = manifest.table[["id", "speaker", "emotion"]].itertuples(index=False, name=None)
    return {
        "setting": request.setting,
        "corpora": {
            manifest.corpus: {
                "manifest": manifest.id,
                "labels_hash": digest(sorted(rows)),
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
        "split_hash": digest([(each.seed, each.fold, each.parts()) for each in splits]),
        "preset": request.preset if network else None,
        "config": request.config.to_dict() if network else dict(SVM),
        "device": device.type,
    }


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of a plain value, written as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


class Ticker:
    """Shows epochs as they pass, and says what came of every job."""

    def __init__(self, request: Request, progress: Progress, jobs: int) -> None:
        self.name = f"{request.corpus} {request.setting}"
        self.progress = progress
        self.jobs, self.done = jobs, 0
        self.epochs = jobs * request.config.train.epochs * request.config.train.members
        self.passed = 0

    def epoch_done(self) -> None:
        """One epoch of some job."""
        self.passed += 1
        self.progress.show(
            f"{self.name}: epoch {self.passed} of {self.epochs}, {self.done} of {self.jobs} runs"
        )

    def job_done(self, outcome: Outcome) -> None:
        """One job; the validation UA is of the epoch that was kept."""
        self.done += 1
        scores = [f"{each['validation_ua'][each['epoch'] - 1]:.3f}" for each in outcome.history]
        validation = f"validation UA {', '.join(scores)}, " if scores else ""
        self.progress.say(
            f"{self.name} {self.done}/{self.jobs}: repeat {outcome.split.seed}, "
            f"fold {outcome.split.fold}: {validation}{outcome.seconds:.1f} s"
        )


def default_out(request: Request) -> Path:
    """A new folder named after what is trained and when."""
    when = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{request.corpus}-{request.setting}-{request.protocol}-{when}"
