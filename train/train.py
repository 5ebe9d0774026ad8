"""`ser train`: corpora, features and a setting in; a run folder and its metrics out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cache import Cache
from ..manifests import namesakes
from ..progress import Progress
from .experiment import Experiment, resolve
from .jobs import Domains, Outcome
from .load import encode, load_domains
from .pool import run_jobs
from .request import Request
from .results import domain_metrics
from .run_folder import write_run
from .target import check_target, check_writable, new_folder
from .ticker import Ticker


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
    experiment = resolve(request, cache)
    domains = encode(load_domains(cache, [experiment], progress), [experiment])
    config = describe(experiment, domains)
    check_target(out, config, request.overwrite)
    loaded = time.perf_counter()

    jobs = experiment.jobs()
    ticker = Ticker(progress, jobs)
    outcomes = []
    check_writable(out)
    for job, outcome in run_jobs(
        domains, jobs, request.workers, experiment.device, ticker.epoch_done
    ):
        outcomes.append(outcome)
        ticker.job_done(job, outcome)
    seconds = {
        "load": round(loaded - started, 3),
        "train": round(time.perf_counter() - loaded, 3),
    }
    with new_folder(out) as folder:
        metrics = write_experiment(folder, experiment, config, domains, outcomes, seconds)
    return Run(out, metrics, [id for ids in experiment.skipped.values() for id in ids])


def describe(experiment: Experiment, domains: Domains) -> dict[str, Any]:
    """The content of `config.json`: everything that the numbers depend on, resolved."""
    model = experiment.spec(domains).to_dict() if experiment.request.network else None
    return {**experiment.describe(), "model": model}


def write_experiment(
    folder: Path,
    experiment: Experiment,
    config: dict[str, Any],
    domains: Domains,
    outcomes: Sequence[Outcome],
    seconds: dict[str, Any],
) -> dict[str, Any]:
    """Write all files of a run into `folder`; returns what is in `metrics.json`.

    Args:
        outcomes: of all jobs, in any order.
    """
    request = experiment.request
    ordered = sorted(outcomes, key=lambda each: (each.seed, each.fold))
    metrics = {
        "setting": request.setting,
        "method": request.model,
        "features": list(request.features),
        "protocol": request.protocol,
        "preset": request.preset if request.network else None,
        "repeats": len({each.seed for each in ordered}),
        "namesakes": namesakes(experiment.manifests.values()),
        "domains": {
            corpus: domain_metrics(
                domains[corpus],
                [each.predictions[corpus] for each in ordered],
                experiment.overlap(corpus),
            )
            for corpus in experiment.manifests
        },
        "seconds": {**seconds, "jobs": [round(each.seconds, 3) for each in ordered]},
    }
    write_run(folder, config, metrics, domains, ordered, experiment.manifests, experiment.splits)
    return metrics


def default_out(request: Request) -> Path:
    """A new folder named after what is trained and when."""
    when = time.strftime("%Y%m%d-%H%M%S")
    corpora = "+".join(request.corpora)
    name = request.setting if request.setting != "multidomain" else request.method
    return Path("runs") / f"{corpora}-{name}-{request.protocol}-{when}"
