"""Jobs handed to workers, and what they leave received. Imports no torch."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import cloudpickle

from ...errors import SerError
from ...machine import one_thread
from ...workers import Lost, Make, WorkerEndedError, Workers
from .baselines import run_baseline
from .jobs import Domains, Job, Outcome

if TYPE_CHECKING:
    import torch

    from ..vectors import Vectors
    from .pool import Executor

Epoch = Callable[[Mapping[str, float]], None]

LOSSES = 3
"""Workers of a cluster that a job may end: one machine may be short of memory, and another not."""


class Sent(NamedTuple):
    """A job, pickled with the classes of a user's own method, and its place among all."""

    number: int
    data: bytes

    @property
    def job(self) -> Job:
        """The job."""
        job: Job = pickle.loads(self.data)
        return job


def hand_out(
    workers: Workers,
    make: Make[Sent, Outcome],
    jobs: Sequence[Job],
    epoch_done: Epoch = lambda validation: None,
    losses: int = 1,
) -> Iterator[tuple[Job, Outcome]]:
    """Have workers run jobs, and yield each with its outcome as it ends.

    Args:
        losses: workers that end at one job before it is given up.

    Raises:
        SerError: workers end at a job, or cannot be had; and whatever a job raises.
    """
    waiting = _Queue(Sent(number, cloudpickle.dumps(job)) for number, job in enumerate(jobs))
    lost = [0] * len(jobs)
    try:
        with workers.running(make, waiting, heard=epoch_done) as results:
            for sent, outcome in results:
                if not isinstance(outcome, Lost):
                    yield jobs[sent.number], outcome
                    continue
                lost[sent.number] += 1
                if outcome.error or lost[sent.number] >= losses:
                    raise WorkerEndedError(outcome.told, [sent]) from outcome.error
                waiting.append(sent)
    except WorkerEndedError as error:
        raise SerError(
            f"a training process ended without a word ({error.told}), most often for want of "
            "memory; try again with --workers 1"
        ) from error


class _Queue(deque[Sent], Iterator[Sent]):
    """Jobs that wait."""

    def __next__(self) -> Sent:
        if not self:
            raise StopIteration
        return self.popleft()


def executor_of(crew: Workers | None) -> Executor | None:
    """What trains networks by the workers of a cluster, where there are any."""
    return partial(train_on, crew) if crew else None


def train_on(
    crew: Workers,
    domains: Domains,
    jobs: Sequence[Job],
    workers: int | None,
    device: torch.device,
    epoch_done: Epoch,
) -> Iterator[tuple[Job, Outcome]]:
    """As `run_jobs`, by the workers of a cluster, however many these are.

    Raises:
        SerError: as `hand_out`, or the features did not fit into memory here.
    """
    from .pool import trainer

    if any(domain.mapped for domain in domains.values()):
        raise SerError(
            "the features do not fit into the memory of this machine, from which a cluster gets "
            "them; raise --memory, or train fewer at once"
        )
    make = partial(trainer, domains, device.type)
    return hand_out(crew, make, jobs, epoch_done, LOSSES)


def baselines_on(
    workers: Workers, vectors: Mapping[str, Vectors], jobs: Sequence[Job]
) -> Iterator[tuple[Job, Outcome]]:
    """Baselines, trained by the workers of a cluster; raises as `hand_out`."""
    return hand_out(workers, partial(baseliner, vectors), jobs, losses=LOSSES)


def baseliner(
    vectors: Mapping[str, Vectors], tell: Callable[[Any], None]
) -> Callable[[Sent], Outcome]:
    """What a worker does: train and test baselines, in one thread."""
    import sklearn.svm  # noqa: F401 - with its BLAS, which is then held to one thread too

    def run(sent: Sent) -> Outcome:
        with one_thread():
            return run_baseline(vectors, sent.job)

    return run
