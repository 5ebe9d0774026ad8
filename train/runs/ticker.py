"""What is shown while jobs run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ...progress import Progress
from .jobs import Job, Outcome


class Ticker:
    """Shows epochs as they pass, and says what came of every job."""

    def __init__(self, progress: Progress, jobs: Sequence[Job]) -> None:
        self.progress = progress
        self.jobs, self.done, self.passed = len(jobs), 0, 0
        settings = [job.config.train for job in jobs if job.config is not None]
        self.epochs = sum(job.epochs for job in jobs)
        runs, members = len(settings), settings[0].members if settings else 1
        factors = [f"{runs} runs"] * (runs > 1) + [f"{members} members"] * (members > 1)
        factors += ["2 trainings"] * bool(settings and settings[0].refit)
        self.factors = f" ({' x '.join(factors)} x {settings[0].epochs})" if factors else ""
        self.latest = ""
        progress.show(f"starting {self.jobs} runs")

    def epoch_done(self, validation: Mapping[str, float]) -> None:
        """One epoch of some job. What is left is reckoned from the first on, as what comes before
        it does not come again."""
        self.passed += 1
        if self.passed == 1:
            self.progress.started = time.monotonic()
        if validation:  # a model that is trained anew on the validation part too has none
            self.latest = ", ".join(f"{corpus} {ua:.3f}" for corpus, ua in validation.items())
        self.progress.show(
            f"{self.done} of {self.jobs} runs done, {self.passed} of {self.epochs} epochs"
            f"{self.factors}",
            *(self.passed - 1, self.epochs - 1),
            [f"validation UA {self.latest}"],
        )

    def job_done(self, job: Job, outcome: Outcome) -> None:
        """One job; the validation UA is of the epoch that was kept, the mean over corpora."""
        self.done += 1
        scores = []
        for member in outcome.history:
            kept = [curve[member.epoch - 1] for curve in member.validation_ua.values()]
            scores.append(f"{sum(kept) / len(kept):.3f}")
        validation = f"validation UA {', '.join(scores)}, " if scores else ""
        self.progress.say(
            f"{self.done}/{self.jobs} {'+'.join(job.splits)} {job.method.name}: "
            f"repeat {outcome.seed}, fold {outcome.fold}: {validation}{outcome.seconds:.1f} s"
        )
