"""`ser train`: corpora, features and a setting in; a run folder and its metrics out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...cache import Cache
from ...manifests import namesakes
from ...progress import Progress
from .experiment import Experiment, resolve
from .notes import left_out, notes_on_splits
from .request import Request
from .target import check_folder, check_target, check_writable, claimed, new_folder

if TYPE_CHECKING:
    from .jobs import Domains, Outcome, Prediction


@dataclass(frozen=True)
class Run:
    """A finished run; `skipped` are the utterances left out because a feature was missing."""

    folder: Path
    metrics: dict[str, Any]
    skipped: Sequence[str]


def train(
    request: Request, cache: Cache, out: Path | None = None, progress: Progress | None = None
) -> Run:
    """Train and test every repeat, write the run folder `out`, return what it holds.

    Args:
        out: None: a new folder in `runs`.

    Raises:
        MissingFeaturesError: a feature is not cached; the message has the command to run.
        LeakError: a split leaks.
        InputError: wrong usage, or another command trains into the same folder.
        SerError: the run folder cannot be written, or a training process failed.
    """
    progress = progress or Progress()
    progress.show(f"looking up {', '.join(request.corpora)} in the cache")
    experiment = resolve(request, cache)
    if out is not None:
        check_folder(out)
    progress.show("loading torch")
    from .load import encode, load_domains
    from .pool import run_jobs
    from .ticker import Ticker

    started = time.perf_counter()
    wanted = Path(os.path.realpath(out or default_out(request)))
    with claimed(wanted, progress.say, new=out is None) as target:
        domains = encode(load_domains(cache, [experiment], progress), [experiment])
        config = describe(experiment)

        def still_right() -> None:
            check_target(target, config, request.overwrite)

        still_right()
        check_writable(target)
        loaded = time.perf_counter()
        jobs = experiment.jobs()
        ticker = Ticker(progress, jobs)
        outcomes = []
        for job, outcome in run_jobs(
            domains, jobs, request.workers, experiment.device, ticker.epoch_done
        ):
            outcomes.append(outcome)
            ticker.job_done(job, outcome)
        seconds = {
            "load": round(loaded - started, 3),
            "train": round(time.perf_counter() - loaded, 3),
        }
        with new_folder(target, progress.say, still_right) as folder:
            metrics = write_experiment(folder, experiment, config, domains, outcomes, seconds)
    return Run(target, metrics, [id for ids in experiment.skipped.values() for id in ids])


def describe(experiment: Experiment) -> dict[str, Any]:
    """The content of `config.json`: everything that the numbers depend on, resolved."""
    model = experiment.spec.to_dict() if experiment.request.network else None
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
    from .record import write_run

    ordered = sorted(outcomes, key=lambda each: (each.seed, each.fold))
    found: dict[str, list[Prediction]] = {corpus: [] for corpus in experiment.manifests}
    for outcome in ordered:
        for corpus, prediction in outcome.predictions.items():
            found[corpus].append(prediction)
    metrics = experiment_metrics(experiment, domains, found) | {
        "seconds": {**seconds, "jobs": [round(each.seconds, 3) for each in ordered]},
    }
    write_run(folder, config, metrics, domains, ordered, experiment.manifests, experiment.splits)
    return metrics


def experiment_metrics(
    experiment: Experiment, domains: Domains, predictions: Mapping[str, Sequence[Prediction]]
) -> dict[str, Any]:
    """What `metrics.json` says, but for the seconds.

    Args:
        predictions: by corpus, of all repeats and folds.
    """
    from .results import domain_metrics

    request = experiment.request
    return {
        "setting": request.setting,
        "method": request.model,
        "features": list(request.features),
        "protocol": request.protocol,
        "preset": request.config.preset if request.network else None,
        "changes": list(request.config.changes) if request.network else [],
        "repeats": len({each.seed for each in next(iter(experiment.splits.values()))}),
        "namesakes": namesakes(experiment.manifests.values()),
        "domains": {
            corpus: domain_metrics(
                domains[corpus],
                predictions[corpus],
                experiment.overlap(corpus),
                [
                    *left_out(len(manifest), len(experiment.skipped.get(corpus, ()))),
                    *notes_on_splits(manifest, experiment.splits[corpus]),
                ],
            )
            for corpus, manifest in experiment.manifests.items()
        },
    }


def default_out(request: Request) -> Path:
    """A folder named after what is trained and when."""
    first, *others = request.corpora
    corpora = "+".join(request.corpora) if len(others) < 8 else f"{first}+{len(others)}-more"
    what = request.setting if request.setting != "multidomain" else request.model
    preset = [_plain(Path(request.config.preset).stem)] if request.network else []
    when = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / "-".join([corpora, what, *preset, request.protocol, when])


def _plain(text: str) -> str:
    """Fit to be part of a file's name everywhere."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:40].strip("-.") or "preset"
