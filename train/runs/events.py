"""Learning curves and rates as event files, which TensorBoard shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...errors import MissingPackageError, SerError, install_command
from .curves import Trained
from .run import Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from .jobs import Outcome

SUFFIX = ".tensorboard"
"""Of the folder beside that of a run: `tensorboard --logdir runs` finds it."""


class EventFiles:
    """The event files of a run, in a folder beside it: one for each network, and one for the tests.

    Args:
        run: the folder of the run.

    Raises:
        MissingPackageError: TensorBoard is not installed.
    """

    def __init__(self, run: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError(
                f"--log tensorboard needs a package that is not installed: {error}\n"
                f"Install it with: {install_command('tensorboard')}"
            ) from error
        self._make = SummaryWriter
        self._done: set[tuple[int, int]] = set()
        self.folder = run.with_name(run.name + SUFFIX)

    def add(self, outcome: Outcome) -> None:
        """The curves of a job: its loss and, by corpus, its validation UA, by epoch."""
        self._curves(outcome.seed, outcome.fold, outcome.history)

    def complete(self, run: Run) -> None:
        """What is known when a run is finished: the curves of jobs that were not added, all
        settings, and the test UA of every repeat.

        Raises:
            InputError: the run is not as it was written.
            SerError: it cannot be written.
        """
        for job in run.history:
            if (job.repeat, job.fold) not in self._done:
                self._curves(job.repeat, job.fold, job.members)
        with self._writer("test") as writer:
            config = json.dumps(msgspec.to_builtins(run.config), indent=2)
            writer.add_text("config", f"```json\n{config}\n```")
            for corpus, domain in run.metrics["domains"].items():
                for seed, ua in zip(run.config.seeds, domain["ua"]["values"], strict=True):
                    writer.add_scalar(f"test UA by repeat/{corpus}", ua, seed)

    def _curves(self, repeat: int, fold: int, members: Sequence[Trained]) -> None:
        for member, trained in enumerate(members):
            with self._writer(f"repeat{repeat}-fold{fold}-member{member}") as writer:
                for epoch, loss in enumerate(trained.loss, 1):
                    writer.add_scalar("loss", loss, epoch)
                for corpus, curve in trained.validation_ua.items():
                    for epoch, ua in enumerate(curve, 1):
                        writer.add_scalar(f"validation UA/{corpus}", ua, epoch)
        self._done.add((repeat, fold))

    def _writer(self, name: str) -> SummaryWriter:
        """A writer into a folder of its own, without what an earlier command left there."""
        folder = self.folder / name
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            return self._make(str(folder))
        except OSError as error:
            raise SerError(f"{folder}: the event files cannot be written: {error}") from error
