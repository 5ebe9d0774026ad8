"""One job = one split trained and tested; jobs run side by side, one core each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import SerError
from ..manifests import Split
from .baseline import fit_predict
from .config import Config
from .data import Domain, ordered_batches
from .loop import EVALUATION_BATCH, fit
from .model import probabilities

EpochDone = Callable[[], None]
"""Called after every epoch of any job."""

MEMBER_SEEDS = 1000
"""Distance between the seeds of the members of one repeat."""


@dataclass(frozen=True)
class Job:
    """A split of a domain to train and test on; without a config, the baseline."""

    split: Split
    config: Config | None


@dataclass(frozen=True)
class Outcome:
    """What a job leaves behind.

    Attributes:
        predicted: (n_test,), label positions, in the order of `split.test`.
        probabilities: (n_test, classes), mean over the members; None for the baseline.
        weights: the state of every member; NumPy, because tensors that cross processes keep a file
            descriptor each.
        history: learning curves of every member.
    """

    split: Split
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None
    weights: Sequence[Mapping[str, NDArray[Any]]] = ()
    history: Sequence[Mapping[str, Any]] = ()
    seconds: float = field(default=0.0, compare=False)


def run_job(domain: Domain, job: Job, epoch_done: EpochDone = lambda: None) -> Outcome:
    """Train on the split's training part, choose by its validation part, predict its test part."""
    started = time.perf_counter()
    split = job.split
    train, validation, test = (
        domain.rows(part) for part in (split.train, split.validation, split.test)
    )
    if job.config is None:
        predicted = fit_predict(domain, train, test)
        return Outcome(split, predicted, None, seconds=time.perf_counter() - started)

    batches = list(ordered_batches(test, domain.lengths(), EVALUATION_BATCH))
    mean = torch.zeros(len(test), len(domain.labels))
    weights, history = [], []
    for member in range(job.config.train.members):
        seed = split.seed + MEMBER_SEEDS * member
        fitted = fit(domain, train, validation, job.config, seed, epoch_done)
        mean += probabilities(fitted.model, domain, test, batches) / job.config.train.members
        state = fitted.model.state_dict()
        weights.append({name: value.cpu().numpy() for name, value in state.items()})
        history.append(
            {
                "seed": seed,
                "epoch": fitted.epoch,
                "loss": list(fitted.losses),
                "validation_ua": list(fitted.validation),
            }
        )
    predicted = mean.argmax(-1).numpy()
    seconds = time.perf_counter() - started
    return Outcome(split, predicted, mean.numpy(), weights, history, seconds)


def run_jobs(
    domain: Domain,
    jobs: Sequence[Job],
    workers: int,
    epoch_done: EpochDone = lambda: None,
) -> Iterator[Outcome]:
    """Run jobs and yield their outcomes as they end.

    On a CPU every job has one thread, whatever the number of workers, so that the numbers do not
    depend on it. On a GPU, and for the baseline, which takes less time than a process takes to
    start, jobs run one after the other in this process.

    Raises:
        SerError: a job failed, or its process ended.
    """
    workers = min(workers, sum(job.config is not None for job in jobs))
    if workers <= 1 or domain.targets.device.type != "cpu":
        with one_thread():
            yield from (run_job(domain, job, epoch_done) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    epochs = context.Queue()
    executor = ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_start_worker,
        initargs=(domain.share(), epochs),
    )
    others = set(multiprocessing.active_children())
    try:
        waiting = {executor.submit(_run_in_worker, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
            while not epochs.empty():
                epochs.get()
                epoch_done()
            yield from (future.result() for future in done)
    except BrokenProcessPool as error:
        raise SerError(
            "a training process ended without a word, most often for want of memory; "
            "try again with --workers 1"
        ) from error
    except BaseException:  # Ctrl-C, or a job that failed: nobody waits for the others
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use a single thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_work: tuple[Domain, EpochDone] | None = None


def _start_worker(domain: Domain, epochs: multiprocessing.Queue[None]) -> None:
    global _work
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C reaches every process of the terminal; the main one alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _work = domain, partial(epochs.put, None)


def _end_with_parent() -> None:
    """End this process when the main one is gone, killed for instance."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run_in_worker(job: Job) -> Outcome:
    assert _work is not None
    domain, epoch_done = _work
    return run_job(domain, job, epoch_done)
