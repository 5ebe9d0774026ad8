"""Trainings that are kept as they finish, and taken up again: nothing is done twice.

An experiment is one job for each repeat and fold. What a job leaves waits in a hidden folder beside
the run folder, under a name made of all that its numbers depend on, until the last of its
experiment is done and the run folder is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...cache import Cache
from ...portion import ALL, Portion
from ...progress import Progress
from ...workers import Workers
from ..encoding import Encoding
from .baselines import load_vectors, run_baselines
from .experiment import Experiment
from .handing import baselines_on, executor_of
from .jobs import Domains, Job, Outcome
from .run import Run
from .target import check_target, check_writable
from .ticker import Ticker
from .work import Work

if TYPE_CHECKING:
    from .pool import Executor

Finished = Callable[[Outcome], None]


def run_experiments(
    experiments: Mapping[Path, Experiment],
    cache: Cache,
    progress: Progress,
    share: bool = False,
    executor: Executor | None = None,
    finished: Finished = lambda outcome: None,
    portion: Portion = ALL,
    crew: Workers | None = None,
) -> dict[Path, Run]:
    """Run all experiments: the networks, side by side as `run_jobs` has it, over features that are
    loaded once, then the baselines. Without networks torch is not imported.

    What was finished before, by a call that ended at any moment, is taken over.

    Args:
        experiments: by their run folders, which the caller has claimed, unless it asks for a
            portion.
        share: copy the same run from another folder beside its own, where there is one.
        executor: what trains the networks; None: `run_jobs`.
        finished: called with what every job left that was not finished before.
        portion: of all jobs, to do here. Others do the rest, and whoever finds all jobs of an
            experiment finished writes its run folder.
        crew: workers that do the jobs; None: `executor`, and threads for baselines.

    Returns:
        The runs that are whole, by their folders: all of them, unless it was asked for a portion.

    Raises as `train`.
    """
    work = [
        Work(folder, experiment, portion == ALL, progress.say)
        for folder, experiment in experiments.items()
    ]
    for unit in work:
        check_target(unit.folder, unit.experiment.record, unit.experiment.request.overwrite)
    for parent in {folder.parent for folder in experiments}:
        check_writable(parent / "run")
    for unit in work:
        unit.take_up(share)
    asked = dealt(work, portion)
    waiting = [(unit, job) for unit, job in asked if job.place in unit.pending]
    if len(waiting) < len(asked):
        progress.say(f"{len(asked) - len(waiting)} of {len(asked)} runs were finished before")
    if waiting:
        ticker = Ticker(progress, [job for _, job in waiting])
        networks = [(unit, job) for unit, job in waiting if unit.experiment.request.network]
        if networks:
            _run_networks(networks, cache, ticker, executor_of(crew) or executor, finished)
        for unit in work:
            of_unit = [job for other, job in waiting if other is unit]
            if of_unit and not unit.experiment.request.network:
                _run_baselines(unit, of_unit, cache, ticker, finished, crew)
    for unit in work:
        if unit.pending:  # which others may have finished meanwhile
            unit.take_up()
    return {unit.folder: Run.open(unit.folder) for unit in work if unit.whole}


def dealt(work: Sequence[Work], portion: Portion) -> list[tuple[Work, Job]]:
    """A portion of the jobs of some experiments, the longest first, so that none is left alone at
    the end; what is finished makes no difference to whose they are."""
    jobs = [(unit, job) for unit in work for job in unit.experiment.jobs]
    jobs.sort(key=lambda pair: pair[1].size, reverse=True)
    return portion.deal(jobs)


def _run_baselines(
    unit: Work,
    jobs: Sequence[Job],
    cache: Cache,
    ticker: Ticker,
    finished: Finished,
    crew: Workers | None,
) -> None:
    """Do jobs of an experiment that is a baseline."""
    experiment = unit.experiment
    keys = {corpus: experiment.versions(corpus) for corpus in experiment.manifests}
    vectors = load_vectors(cache, experiment.manifests, keys, experiment.request.encoding)
    outcomes = (
        baselines_on(crew, vectors, jobs)
        if crew
        else run_baselines(vectors, jobs, experiment.request.workers)
    )
    for job, outcome in outcomes:
        unit.keep(job, outcome)
        ticker.job_done(job, outcome)
        finished(outcome)


def _run_networks(
    waiting: Sequence[tuple[Work, Job]],
    cache: Cache,
    ticker: Ticker,
    executor: Executor | None,
    finished: Finished,
) -> None:
    """Do all jobs that are networks."""
    from .load import load_domains
    from .pool import run_jobs

    alike: dict[Encoding, list[tuple[Work, Job]]] = defaultdict(list)
    for unit, job in waiting:
        alike[unit.experiment.request.encoding].append((unit, job))
    experiments = list({id(unit): unit.experiment for unit, _ in waiting}.values())
    loaded = load_domains(cache, experiments, ticker.progress)
    for group in alike.values():
        _run_alike(group, loaded, ticker, executor or run_jobs, finished)


def _run_alike(
    group: Sequence[tuple[Work, Job]],
    loaded: Domains,
    ticker: Ticker,
    executor: Executor,
    finished: Finished,
) -> None:
    """Do jobs that take the features in the same encoding."""
    from .load import encode

    unit_of = {id(job): unit for unit, job in group}
    experiments = list({id(unit): unit.experiment for unit, _ in group}.values())
    jobs, workers = [job for _, job in group], experiments[0].request.workers
    domains = encode(loaded, experiments)
    for job, outcome in executor(domains, jobs, workers, experiments[0].device, ticker.epoch_done):
        unit_of[id(job)].keep(job, outcome)
        ticker.job_done(job, outcome)
        finished(outcome)
