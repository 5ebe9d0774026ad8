"""What some experiments would do, found out without training or writing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...cache import Cache, FeatureKey
from ...portion import ALL, Portion
from .engine import dealt
from .experiment import Experiment
from .target import check_target
from .work import Work


@dataclass(frozen=True)
class RunPlan:
    """A run and its jobs: a model, or an ensemble, for each repeat and fold.

    Attributes:
        written: whether the run folder is there and whole.
        jobs: of those that were asked for.
        finished: how many of these are finished.
        networks: to be trained in the others; 0 for a baseline.
        epochs: of all of these.
        size: bytes of the features that they read.
    """

    folder: Path
    corpora: tuple[str, ...]
    method: str
    written: bool
    jobs: int
    finished: int
    networks: int
    epochs: int
    size: int

    @property
    def to_do(self) -> bool:
        """Whether there is anything to do: jobs, or to write what they left."""
        return self.finished < self.jobs or not self.written


def plan_experiments(
    experiments: Mapping[Path, Experiment], cache: Cache, portion: Portion = ALL
) -> list[RunPlan]:
    """What `run_experiments` would do.

    What is finished is counted, not read: should it be damaged, it is done again after all.

    Raises:
        InputError: a folder holds something else.
        MissingFeaturesError: a feature is not cached.
    """
    work = [Work(folder, each, False, lambda text: None) for folder, each in experiments.items()]
    sizes: dict[tuple[str, str], int] = {}
    plans = []
    asked = dealt(work, portion)
    for unit in work:
        experiment = unit.experiment
        check_target(unit.folder, experiment.record, experiment.request.overwrite)
        for corpus, manifest in experiment.manifests.items():
            for key in _keys(experiment, corpus):
                if (corpus, key.hash) not in sizes:
                    sizes[corpus, key.hash] = cache.open(key, manifest).nbytes
        jobs = [job for other, job in asked if other is unit]
        left = [job for job in jobs if not unit.seems_finished(job)]
        plans.append(
            RunPlan(
                folder=unit.folder,
                corpora=tuple(experiment.manifests),
                method=experiment.request.model.name,
                written=unit.whole,
                jobs=len(jobs),
                finished=len(jobs) - len(left),
                networks=sum(job.members for job in left),
                epochs=sum(job.epochs for job in left),
                size=sum(
                    sizes[corpus, key.hash]
                    for corpus in experiment.manifests
                    for key in _keys(experiment, corpus)
                ),
            )
        )
    return plans


def _keys(experiment: Experiment, corpus: str) -> list[FeatureKey]:
    """Of all that is read of a corpus."""
    return [key for named in experiment.versions(corpus).values() for key in named.values()]
