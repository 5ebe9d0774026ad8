"""Trainings that are kept as they finish, and taken up again: nothing is done twice.

An experiment is one job for each repeat and fold. What a job leaves waits in a hidden folder beside
the run folder, under a name made of all that its numbers depend on, until the last of its
experiment is done and the run folder is written.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...cache import Cache
from ...files import PARTIAL
from ...progress import Progress
from ..encoding import Encoding
from .baselines import load_vectors, run_baselines
from .experiment import Experiment, digest
from .jobs import Domains, Job, Outcome
from .kept import load_outcome, save_outcome
from .record import write_json, write_run
from .run import VERSIONS, Run
from .software import numbers_version, other_software
from .target import check_target, check_writable, holds_run, new_folder
from .ticker import Ticker

if TYPE_CHECKING:
    from .pool import Executor

Finished = Callable[[Outcome], None]

UNFINISHED = ".ser-unfinished"


def run_experiments(
    experiments: Mapping[Path, Experiment],
    cache: Cache,
    progress: Progress,
    share: bool = False,
    executor: Executor | None = None,
    finished: Finished = lambda outcome: None,
) -> dict[Path, Run]:
    """Run all experiments: the networks, side by side as `run_jobs` has it, over features that are
    loaded once, then the baselines. Without networks torch is not imported.

    What was finished before, by a call that ended at any moment, is taken over.

    Args:
        experiments: by their run folders, which the caller has claimed.
        share: copy the same run from another folder beside its own, where there is one.
        executor: what trains the networks; None: `run_jobs`.
        finished: called with what every job left that was not finished before.

    Raises as `train`.
    """
    work = [_Work(folder, experiment, progress.say) for folder, experiment in experiments.items()]
    for unit in work:
        check_target(unit.folder, unit.experiment.record, unit.experiment.request.overwrite)
    for parent in {folder.parent for folder in experiments}:
        check_writable(parent / "run")
    for unit in work:
        unit.take_up(share)
    # The longest first, so that none is left alone at the end.
    waiting = [(unit, job) for unit in work for job in unit.pending]
    waiting.sort(key=lambda pair: pair[1].size, reverse=True)
    jobs = sum(len(unit.experiment.jobs) for unit in work)
    if len(waiting) < jobs:
        progress.say(f"{jobs - len(waiting)} of {jobs} runs were finished before")
    if waiting:
        ticker = Ticker(progress, [job for _, job in waiting])
        networks = [(unit, job) for unit, job in waiting if unit.experiment.request.network]
        if networks:
            _run_networks(networks, cache, ticker, executor, finished)
        for unit in work:
            if unit.pending and not unit.experiment.request.network:
                _run_baselines(unit, cache, ticker, finished)
    return {folder: Run.open(folder) for folder in experiments}


def _run_baselines(unit: _Work, cache: Cache, ticker: Ticker, finished: Finished) -> None:
    """Do the jobs of an experiment that is a baseline."""
    experiment, jobs = unit.experiment, list(unit.pending)
    vectors = load_vectors(
        cache, experiment.manifests, experiment.keys, experiment.request.encoding
    )
    for job, outcome in run_baselines(vectors, jobs, experiment.request.workers):
        unit.keep(job, outcome)
        ticker.job_done(job, outcome)
        finished(outcome)


def _run_networks(
    waiting: Sequence[tuple[_Work, Job]],
    cache: Cache,
    ticker: Ticker,
    executor: Executor | None,
    finished: Finished,
) -> None:
    """Do all jobs that are networks."""
    from .load import load_domains
    from .pool import run_jobs

    alike: dict[Encoding, list[tuple[_Work, Job]]] = defaultdict(list)
    for unit, job in waiting:
        alike[unit.experiment.request.encoding].append((unit, job))
    experiments = list({id(unit): unit.experiment for unit, _ in waiting}.values())
    loaded = load_domains(cache, experiments, ticker.progress)
    for group in alike.values():
        _run_alike(group, loaded, ticker, executor or run_jobs, finished)


def _run_alike(
    group: Sequence[tuple[_Work, Job]],
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


@dataclass
class _Work:
    """An experiment on the way to its run folder.

    Attributes:
        pending: its jobs that are not finished.
        files: where a finished job waits for the others, under a name for all that its numbers
            depend on, by its place.
    """

    folder: Path
    experiment: Experiment
    say: Callable[[str], None]
    pending: list[Job] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unfinished = self.folder.parent / UNFINISHED
        made_by = numbers_version()
        self.files = {
            job.place: self.unfinished
            / f"{digest([self.experiment.about(job), made_by])}.safetensors"
            for job in self.experiment.jobs
        }

    def take_up(self, share: bool) -> None:
        """Find what was finished, and write the run folder if that was all."""
        if share:
            self._copy()
        if holds_run(self.folder, self.experiment.record):
            if other := other_software(Run.open(self.folder).about):
                self.say(
                    f"note: {self.folder} was trained with {', '.join(other)}, unlike what is "
                    "here; remove it to train it anew"
                )
            self._clear()
            return
        labels = {corpus: manifest.labels for corpus, manifest in self.experiment.manifests.items()}
        damaged = 0
        for job in self.experiment.jobs:
            outcome = load_outcome(self.files[job.place], job, labels)
            if outcome is None:
                damaged += os.path.lexists(self.files[job.place])
                self.pending.append(job)
            else:
                self.outcomes.append(outcome)
        if damaged:
            self.say(
                f"note: {damaged} finished runs in {self.unfinished} are damaged and are done again"
            )
        if not self.pending:
            self._finish()

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Keep what a job left; with the last, write the run folder."""
        self.pending.remove(job)
        self.outcomes.append(outcome)
        save_outcome(self.files[job.place], outcome)
        if not self.pending:
            self._finish()

    def _finish(self) -> None:
        experiment, record = self.experiment, self.experiment.record
        outcomes = sorted(self.outcomes, key=lambda outcome: (outcome.seed, outcome.fold))
        self.outcomes.clear()

        def still_right() -> None:
            check_target(self.folder, record, experiment.request.overwrite)

        with new_folder(self.folder, self.say, still_right) as folder:
            write_run(folder, experiment, outcomes)
        self._clear()

    def _copy(self) -> None:
        """Copy the run of the same experiment from another folder, as of another table; one that
        cannot be copied is trained anew."""
        if holds_run(self.folder, self.experiment.record):
            return
        for other in sorted(self.folder.parent.glob("[!.]*")):
            if holds_run(other, self.experiment.record):
                run = Run.open(other)
                with suppress(OSError, ValueError), new_folder(self.folder, self.say) as copy:
                    for file in run.sums:
                        with run.file(file) as source, (copy / file).open("wb") as target:
                            shutil.copyfileobj(source, target)
                    write_json(copy / VERSIONS, dict(run.about))
                return

    def _clear(self) -> None:
        """Remove what was kept of the jobs, and what a killed command left of it half written."""
        for file in self.files.values():
            for path in (file, *self.unfinished.glob(f"{PARTIAL}*-{file.name}")):
                with suppress(IsADirectoryError, PermissionError):
                    path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone
            self.unfinished.rmdir()
