"""An experiment on the way to its run folder: what is finished of it, and what is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ...files import PARTIAL
from .experiment import Experiment, digest
from .jobs import Job, Outcome
from .kept import load_outcome, save_outcome
from .record import write_json, write_run
from .run import VERSIONS, Run
from .software import numbers_version, other_software
from .target import FolderTakenError, check_target, claimed, holds_run, new_folder

UNFINISHED = ".ser-unfinished"


class Work:
    """The jobs of an experiment, each of which waits in a file of its own for the others.

    Args:
        folder: of the run.
        owned: whether the caller has claimed it; else it is claimed whenever it is written.
        say: tells the user.

    Attributes:
        pending: jobs that are not finished, by their places.
        files: where a finished job waits, under a name for all that its numbers depend on, by its
            place.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, owned: bool, say: Callable[[str], None]
    ) -> None:
        self.folder, self.experiment = folder, experiment
        self.pending: dict[tuple[int, int], Job] = {job.place: job for job in experiment.jobs}
        self.unfinished = folder.parent / UNFINISHED
        made_by = numbers_version()
        self.files = {
            place: self.unfinished / f"{digest([experiment.about(job), made_by])}.safetensors"
            for place, job in self.pending.items()
        }
        self._owned, self._say = owned, say
        self._outcomes: list[Outcome] = []

    @property
    def whole(self) -> bool:
        """Whether the run folder is there, with all that belongs into it."""
        return holds_run(self.folder, self.experiment.record)

    def take_up(self, share: bool = False) -> None:
        """Find what is finished, here or by others, and write the run folder if that is all.

        Args:
            share: copy the same run from another folder beside its own, where there is one.
        """
        if share:
            self._copy()
        if self.whole:
            if other := other_software(Run.open(self.folder).about):
                self._say(
                    f"note: {self.folder} was trained with {', '.join(other)}, unlike what is "
                    "here; remove it to train it anew"
                )
            self._done()
            return
        manifests = self.experiment.manifests
        labels = {corpus: manifest.labels for corpus, manifest in manifests.items()}
        damaged = 0
        for place, job in tuple(self.pending.items()):
            outcome = load_outcome(self.files[place], job, labels)
            if outcome is None:
                damaged += os.path.lexists(self.files[place])
            else:
                self._add(job, outcome)
        if damaged:
            self._say(
                f"note: {damaged} finished runs in {self.unfinished} are damaged and are done again"
            )
        if not self.pending:
            self._finish()

    def seems_finished(self, job: Job) -> bool:
        """Whether a job need not be done, by what lies there; nothing is read of what it left."""
        return self.whole or os.path.lexists(self.files[job.place])

    def keep(self, job: Job, outcome: Outcome) -> None:
        """Keep what a job left; with the last, write the run folder."""
        save_outcome(self.files[job.place], outcome)
        self._add(job, outcome)
        if not self.pending:
            self._finish()

    def _add(self, job: Job, outcome: Outcome) -> None:
        del self.pending[job.place]
        self._outcomes.append(outcome)

    @contextmanager
    def _claimed(self) -> Iterator[bool]:
        """Claim the run folder, if it is not; False where another command is at work there."""
        with ExitStack() as stack:
            free = True
            if not self._owned:
                try:
                    stack.enter_context(claimed(self.folder, self._say))
                except FolderTakenError:
                    free = False
            yield free

    def _finish(self) -> None:
        """Write the run folder, unless another command has done so or is about to."""
        experiment, record = self.experiment, self.experiment.record
        outcomes = sorted(self._outcomes, key=lambda outcome: (outcome.seed, outcome.fold))

        def still_right() -> None:
            check_target(self.folder, record, experiment.request.overwrite)

        with self._claimed() as free:
            if not free:
                return
            if not self.whole:
                with new_folder(self.folder, self._say, still_right) as folder:
                    write_run(folder, experiment, outcomes)
            self._done()

    def _copy(self) -> None:
        """Copy the run of the same experiment from another folder, as of another table; one that
        cannot be copied is trained anew."""
        if self.whole:
            return
        for other in sorted(self.folder.parent.glob("[!.]*")):
            if holds_run(other, self.experiment.record):
                run = Run.open(other)
                with self._claimed() as free, suppress(OSError, ValueError):
                    if not free or self.whole:
                        return
                    with new_folder(self.folder, self._say) as copy:
                        for file in run.sums:
                            with run.file(file) as source, (copy / file).open("wb") as target:
                                shutil.copyfileobj(source, target)
                        write_json(copy / VERSIONS, dict(run.about))
                return

    def _done(self) -> None:
        """Remove what was kept of the jobs, and what a killed command left of it half written."""
        self.pending.clear()
        self._outcomes.clear()
        for file in self.files.values():
            for path in (file, *self.unfinished.glob(f"{PARTIAL}*-{file.name}")):
                with suppress(IsADirectoryError, PermissionError):
                    path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone
            self.unfinished.rmdir()
