"""What is shown while jobs run."""

from __future__ import annotations

from collections.abc import Sequence

from ..progress import Progress
from .jobs import Job, Outcome


class Ticker:
    """Shows epochs as they pass, and says what came of every job."""

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self.progress = progress
        self.jobs, self.done, self.passed = len(jobs), 0, 0
        settings = [job.config.train for job in jobs if job.config is not None]
        self.epochs = sum(each.epochs * each.members for each in settings)

    def epoch_done(self) -> None:
        """One epoch of some job."""
        self.passed += 1
        self.progress.show(f"epoch {self.passed} of {self.epochs}, {self.done} of {self.jobs} runs")

    def job_done(self, job: Job, outcome: Outcome) -> None:
        """One job; the validation UA is of the epoch that was kept, the mean over corpora."""
        self.done += 1
        scores = []
        for member in outcome.history:
            kept = [curve[member["epoch"] - 1] for curve in member["validation_ua"].values()]
            scores.append(f"{sum(kept) / len(kept):.3f}")
        validation = f"validation UA {', '.join(scores)}, " if scores else ""
        self.progress.say(
            f"{self.done}/{self.jobs} {'+'.join(job.splits)} {job.method}: repeat {outcome.seed}, "
            f"fold {outcome.fold}: {validation}{outcome.seconds:.1f} s"
        )
