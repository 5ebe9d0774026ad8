"""Many experiments over the same features, a run folder each; nothing is done twice."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..cache import Cache
from ..errors import InputError
from ..files import PARTIAL
from ..progress import Progress
from ..train.encoding import Encoding
from ..train.runs.experiment import Experiment, digest
from ..train.runs.jobs import Job, Outcome
from ..train.runs.load import encode, load_domains
from ..train.runs.pool import run_jobs
from ..train.runs.record import write_json
from ..train.runs.run_folder import VERSIONS, SavedRun, is_run
from ..train.runs.software import software
from ..train.runs.target import check_target, check_writable, claimed, new_folder
from ..train.runs.ticker import Ticker
from ..train.runs.train import describe, write_experiment
from .results import Result, read_result
from .store import load_outcome, save_outcome

RUNS, UNFINISHED = "runs", "unfinished"


def sweep(
    experiments: Mapping[str, Experiment], cache: Cache, out: Path, progress: Progress
) -> Sweep:
    """Run all experiments; afterwards `out`/runs has a run folder for each, by its name.

    Runs that were finished before, by a call that was ended at any moment, are taken over. All
    share the loaded features, and run side by side as `run_jobs` has it.

    Raises as `train`.
    """
    work = Sweep(experiments, cache, out, progress)
    for name in experiments:
        work.finish_if_whole(name)
    waiting = work.waiting()
    if waiting:
        ticker = Ticker(progress, [job for _, job in waiting])
        if work.taken_over:
            progress.say(f"{work.taken_over} runs were finished before")
        for encoding in dict.fromkeys(work.experiments[name].encoding for name, _ in waiting):
            group = [each for each in waiting if work.experiments[each[0]].encoding == encoding]
            names = {id(job): name for name, job in group}
            jobs = [job for _, job in group]
            domains = work.domains[encoding]
            device = work.experiments[group[0][0]].device
            for job, outcome in run_jobs(domains, jobs, work.workers, device, ticker.epoch_done):
                work.done(names[id(job)], job, outcome)
                ticker.job_done(job, outcome)
    return work


FEWEST = 4
"""Test utterances of a corpus that tests and figures can be made of."""


def _check_sizes(experiments: Mapping[str, Experiment]) -> None:
    """Raise InputError where a test part is too small to say anything of."""
    for experiment in experiments.values():
        for corpus, splits in experiment.splits.items():
            count = min(len(each.test) for each in splits)
            if count < FEWEST:
                raise InputError(
                    f"{corpus}: its test part has {count} utterances; a table or figure needs "
                    f"{FEWEST} at least. Leave it out of --corpus"
                )


class Sweep:
    """What is known of every experiment while they run.

    Attributes:
        domains: by encoding, all that the experiments of that encoding need.
        outcomes: by experiment, those of its finished jobs.
        notes: what is to be known of experiments that were taken over.
    """

    def __init__(
        self, experiments: Mapping[str, Experiment], cache: Cache, out: Path, progress: Progress
    ) -> None:
        self.out, self.say = out, progress.say
        self.experiments = experiments
        _check_sizes(self.experiments)
        check_writable(self.out / RUNS)
        loaded = load_domains(cache, list(self.experiments.values()), progress)
        groups: dict[Encoding, list[Experiment]] = defaultdict(list)
        for each in self.experiments.values():
            groups[each.encoding].append(each)
        self.domains = {encoding: encode(loaded, group) for encoding, group in groups.items()}
        self.configs = {name: describe(each) for name, each in self.experiments.items()}
        self.workers = {each.request.workers for each in experiments.values()}.pop()
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self.notes: list[str] = []
        self.taken_over = 0
        self.pending: dict[str, list[Job]] = {}
        for partial in (self.out / UNFINISHED).glob(f"{PARTIAL}*"):
            partial.unlink(missing_ok=True)  # of a command that was killed: nobody else is here
        damaged = sum(map(self.find, self.experiments))
        if damaged:
            self.say(
                f"note: {damaged} finished runs in {self.out / UNFINISHED} are damaged, or not of "
                "these experiments, and are done again"
            )

    def find(self, name: str) -> int:
        """Take over what was finished of an experiment, note what is pending; returns how many
        finished jobs are damaged."""
        folder, experiment = self.folder(name), self.experiments[name]
        with claimed(folder, self.say):
            check_target(folder, self.configs[name], experiment.request.overwrite)
            self.take_over(name)
        self.pending[name] = []
        jobs = experiment.jobs()
        if is_run(folder, self.configs[name]):
            self.note_versions(name)
            self.taken_over += len(jobs)
            self.clear(name)
            return 0
        domains = self.domains[experiment.encoding]
        spec = experiment.spec if experiment.request.network else None
        labels = {corpus: domains[corpus].labels for corpus in experiment.manifests}
        damaged = 0
        for job in jobs:
            file = self.file(name, job)
            outcome = load_outcome(file, job, spec, labels)
            if outcome is None:
                damaged += os.path.lexists(file)
                self.pending[name].append(job)
            else:
                self.taken_over += 1
                self.outcomes[name].append(outcome)
        return damaged

    def results(self) -> dict[str, Result]:
        """What every experiment came to, when all are finished."""
        return {
            name: read_result(self.folder(name), each, self.domains[each.encoding])
            for name, each in self.experiments.items()
        }

    def take_over(self, name: str) -> None:
        """Copy the run folder of the same experiment under another name, of another table.

        One that cannot be copied is trained anew.
        """
        folder, config = self.folder(name), self.configs[name]
        if is_run(folder, config):
            return
        for other in sorted((self.out / RUNS).glob("[!.]*")):
            if is_run(other, config):
                run = SavedRun.open(other)
                with suppress(OSError, ValueError), new_folder(folder, self.say) as copy:
                    for file in run.sums:
                        with run.file(file) as source, (copy / file).open("wb") as target:
                            shutil.copyfileobj(source, target)
                    write_json(copy / VERSIONS, dict(run.about))
                return

    def note_versions(self, name: str) -> None:
        """Say and note it if a finished run was made by other software than is here."""
        found = SavedRun.open(self.folder(name)).about
        now = software()
        other = [f"{each} {found.get(each)}" for each in now if found.get(each) != now[each]]
        if other:
            self.notes.append(f"{name} was trained with {', '.join(other)}, unlike the others.")
            self.say(
                f"note: {name} was trained with {', '.join(other)}, unlike what is here; "
                f"remove {self.folder(name)} to train it anew"
            )

    def folder(self, name: str) -> Path:
        """The run folder of an experiment."""
        return self.out / RUNS / name

    def file(self, name: str, job: Job) -> Path:
        """Where a finished job waits for the others of its experiment."""
        seed, fold = job.place
        what = digest([self.configs[name], software(), seed, fold])
        return self.out / UNFINISHED / f"{name}-{seed}-{fold}-{what}.safetensors"

    def waiting(self) -> list[tuple[str, Job]]:
        """All jobs to do, the longest first, so that none is left alone at the end."""

        def size(each: tuple[str, Job]) -> int:
            job = each[1]
            utterances = sum(len(split.train) for split in job.splits.values())
            settings = job.config.train if job.config else None
            return utterances * (settings.epochs * settings.members if settings else 0)

        jobs = [(name, job) for name, jobs in self.pending.items() for job in jobs]
        return sorted(jobs, key=size, reverse=True)

    def done(self, name: str, job: Job, outcome: Outcome) -> None:
        """Keep what a job left; with the last of an experiment, write its run folder."""
        save_outcome(self.file(name, job), outcome)
        self.pending[name].remove(job)
        self.outcomes[name].append(outcome)
        self.finish_if_whole(name)

    def finish_if_whole(self, name: str) -> None:
        """Write the run folder of an experiment all of whose jobs are done."""
        if self.pending[name] or not self.outcomes[name]:
            return
        experiment = self.experiments[name]
        outcomes = self.outcomes.pop(name)
        domains = self.domains[experiment.encoding]
        target = self.folder(name)
        with claimed(target, self.say), new_folder(target, self.say) as folder:
            write_experiment(folder, experiment, self.configs[name], domains, outcomes, {})
        self.clear(name)

    def clear(self, name: str) -> None:
        """Remove what was kept of the jobs of an experiment that has its run folder."""
        for job in self.experiments[name].jobs():
            with suppress(IsADirectoryError, PermissionError):
                self.file(name, job).unlink(missing_ok=True)
        unfinished = self.out / UNFINISHED
        with suppress(OSError):  # not empty, or gone
            unfinished.rmdir()
