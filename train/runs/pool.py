"""Networks side by side: one process each on a CPU, one core each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

import cloudpickle
import torch

from ...errors import SerError
from ...machine import cores, one_torch_thread
from ...signals import quiet_start
from ..loop import EpochDone
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
    context = worker_context()
    epochs = context.Queue()
    executor = ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_start_worker,
        initargs=({name: domain.share() for name, domain in domains.items()}, device, epochs),
    )
    others = set(multiprocessing.active_children())
    pickled = [(cloudpickle.dumps(job), job) for job in jobs]
    try:
        with quiet_start():  # a process begins when a job is submitted
            submitted = {executor.submit(_run_in_worker, data): job for data, job in pickled}
        waiting = set(submitted)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            while not epochs.empty():
                epoch_done(epochs.get())
            # What is finished is handed over before a failure ends everything.
            for future in sorted(done, key=lambda future: future.exception() is not None):
                yield submitted[future], future.result()
    except BrokenProcessPool as error:
        raise SerError(
            "a training process ended without a word, most often for want of memory; try again "
            "with --workers 1"
        ) from error
    except BaseException:  # Ctrl-C, or a job that failed: nobody waits for the others
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


SPARE = 1.5e9
"""Bytes of a GPU that a run is reckoned to need beside the features."""


def side_by_side(domains: Domains, device: torch.device) -> int:
    """How many jobs run at once: one per core, and on a GPU no more than its memory holds."""
    if device.type != "cuda":
        return cores()
    free, _ = torch.cuda.mem_get_info(device)
    features = sum(domain.bytes for domain in domains.values())
    return max(1, min(cores(), int(free / (features + SPARE))))


_work: tuple[Domains, EpochDone] | None = None


def _start_worker(
    domains: Domains, device: torch.device, epochs: multiprocessing.Queue[Mapping[str, float]]
) -> None:
    global _work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C reaches every process of the terminal; the main one alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    moved = {name: domain.to(device) for name, domain in domains.items()}
    _work = moved, epochs.put


def _end_with_parent() -> None:
    """End this process when the main one is gone, killed for instance."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run_in_worker(job: bytes) -> Outcome:
    """Run a job, which may be of a method of the user's own: of a notebook, for instance."""
    assert _work is not None
    domains, epoch_done = _work
    return run_network(domains, cloudpickle.loads(job), epoch_done)
