"""Networks side by side: one process each on a CPU, one core each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import torch

from ...machine import cores, one_torch_thread
from ...workers import Processes
from ..loop import EpochDone
from .handing import Sent, hand_out
from .jobs import Domains, Job, Outcome
from .networks import run_network
from .processes import worker_context


class Executor(Protocol):
    """A way to train networks, such as `run_jobs`, which says what the arguments are.

    It yields each job with what came of it, in any order, as it ends.
    """

    def __call__(
        self,
        domains: Domains,
        jobs: Sequence[Job],
        workers: int | None,
        device: torch.device,
        epoch_done: EpochDone,
    ) -> Iterator[tuple[Job, Outcome]]: ...


def run_jobs(
    domains: Domains,
    jobs: Sequence[Job],
    workers: int | None,
    device: torch.device,
    epoch_done: EpochDone = lambda validation: None,
) -> Iterator[tuple[Job, Outcome]]:
    """Run jobs and yield each with its outcome as it ends.

    On a CPU every job has one thread, whatever the number of workers, so that the numbers do not
    depend on it. On a GPU every worker holds a copy of the features there. Where features are
    mapped all run in this process: several would compete for the disk.

    Args:
        domains: on the host.
        workers: None: as many as `side_by_side`.

    Raises:
        SerError: a job failed, or its process ended.
    """
    mapped = any(domain.mapped for domain in domains.values())
    workers = 1 if mapped else workers or side_by_side(domains, device)
    workers = min(workers, len(jobs))
    if workers <= 1:
        moved = {corpus: domain.to(device) for corpus, domain in domains.items()}
        with one_torch_thread():
            yield from ((job, run_network(moved, job, epoch_done)) for job in jobs)
        return
    shared = {name: domain.share() for name, domain in domains.items()}
    crew = Processes(workers, worker_context())
    yield from hand_out(crew, partial(trainer, shared, str(device)), jobs, epoch_done)


SPARE = 1.5e9
"""Bytes of a GPU that a run is reckoned to need beside the features."""


def side_by_side(domains: Domains, device: torch.device) -> int:
    """How many jobs run at once: one per core, and on a GPU no more than its memory holds."""
    if device.type != "cuda":
        return cores()
    free, _ = torch.cuda.mem_get_info(device)
    features = sum(domain.bytes for domain in domains.values())
    return max(1, min(cores(), int(free / (features + SPARE))))


def trainer(domains: Domains, device: str, epoch_done: EpochDone) -> Callable[[Sent], Outcome]:
    """What a worker does: train networks on domains that it moves to its device once."""
    torch.set_num_threads(1)
    moved = {name: domain.to(torch.device(device)) for name, domain in domains.items()}
    return lambda sent: run_network(moved, sent.job, epoch_done)
