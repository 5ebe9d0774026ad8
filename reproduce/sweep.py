"""Many experiments over the same features, a run folder each; nothing is done twice."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..cache import Cache
from ..errors import InputError
from ..progress import Progress
from ..train.experiment import Experiment, digest, resolve
from ..train.jobs import Job, Outcome
from ..train.load import encode, load_domains
from ..train.pool import run_jobs
from ..train.request import Request
from ..train.run_folder import VERSIONS, is_run, read_json, software
from ..train.target import check_target, check_writable, new_folder
from ..train.ticker import Ticker
from ..train.train import describe, write_experiment
from .store import load_outcome, save_outcome

RUNS, UNFINISHED = "runs", "unfinished"


def sweep(requests: Mapping[str, Request], cache: Cache, out: Path, progress: Progress) -> Sweep:
    """Run all requests; afterwards `out`/runs has a run folder for each, by its name.

    Runs that were finished before, by a call that was ended at any moment, are taken over. All
    share the loaded features, and run side by side as `run_jobs` has it.

    Raises as `train`.
    """
    work = Sweep(requests, cache, out, progress)
    for name in requests:
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
        self, requests: Mapping[str, Request], cache: Cache, out: Path, progress: Progress
    ) -> None:
        self.out = out.resolve()
        self.experiments = {name: resolve(each, cache) for name, each in requests.items()}
        _check_sizes(self.experiments)
        check_writable(self.out / RUNS)
        loaded = load_domains(cache, list(self.experiments.values()), progress)
        groups: dict[str, list[Experiment]] = defaultdict(list)
        for each in self.experiments.values():
            groups[each.encoding].append(each)
        self.domains = {encoding: encode(loaded, group) for encoding, group in groups.items()}
        self.configs = {
            name: describe(each, self.domains[each.encoding])
            for name, each in self.experiments.items()
        }
        self.workers = {each.workers for each in requests.values()}.pop()
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self.notes: list[str] = []
        self.taken_over = 0
        self.pending: dict[str, list[Job]] = {}
        for name, experiment in self.experiments.items():
            folder = self.folder(name)
            check_target(folder, self.configs[name], experiment.request.overwrite)
            self.pending[name] = []
            jobs = experiment.jobs()
            self.take_over(name)
            if is_run(folder, self.configs[name]):
                self.note_versions(name, progress)
                self.taken_over += len(jobs)
                self.clear(name)
                continue
            for job in jobs:
                outcome = load_outcome(self.file(name, job), job)
                if outcome is None:
                    self.pending[name].append(job)
                else:
                    self.taken_over += 1
                    self.outcomes[name].append(outcome)

    def take_over(self, name: str) -> None:
        """Copy the run folder of the same experiment under another name, of another table.

        One that cannot be copied is trained anew.
        """
        folder, config = self.folder(name), self.configs[name]
        if is_run(folder, config):
            return
        for other in sorted((self.out / RUNS).glob("[!.]*")):
            if is_run(other, config):
                with suppress(OSError), new_folder(folder) as copy:
                    for path in filter(Path.is_file, other.iterdir()):
                        shutil.copyfile(path, copy / path.name)
                return

    def note_versions(self, name: str, progress: Progress) -> None:
        """Say and note it if a finished run was made by other software than is here."""
        found = read_json(self.folder(name) / VERSIONS)
        now = software()
        other = [f"{each} {found.get(each)}" for each in now if found.get(each) != now[each]]
        if other:
            self.notes.append(f"{name} was trained with {', '.join(other)}, unlike the others.")
            progress.say(
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
        with new_folder(self.folder(name)) as folder:
            write_experiment(folder, experiment, self.configs[name], domains, outcomes, {})
        self.clear(name)

    def clear(self, name: str) -> None:
        """Remove what was kept of the jobs of an experiment that has its run folder."""
        for job in self.experiments[name].jobs():
            self.file(name, job).unlink(missing_ok=True)
        unfinished = self.out / UNFINISHED
        with suppress(OSError):  # not empty, or gone
            unfinished.rmdir()
