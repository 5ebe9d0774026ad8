"""A few processes that prepare utterances for the main one.

Each worker hangs on a pipe of its own, of which only the main process holds the other end: should
that end in any way, kill -9 included, the worker reads the end of the pipe and ends too. A task
is sent when a result has come back, so the memory does not grow with the corpus.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NoReturn

from ..errors import SerError
from ..signals import handled
from .prepare import Prepared, Preparer, Task

IN_FLIGHT = 4
"""Tasks that a worker holds: one at work, the others so that it need not wait for the next."""


@contextmanager
def preparing(
    tasks: Iterable[Task], root: Path, specs: Sequence[str], workers: int
) -> Iterator[Iterator[Prepared]]:
    """Give what becomes of the tasks, in any order, as it is done.

    The workers start at once and are gone at the end of the context, however that comes.

    Args:
        tasks: taken as they are needed.
        root: the corpus.
        specs: all features that tasks ask for.
        workers: how many processes; 0 is this one.

    Raises:
        SerError: (the iterator) a worker ended unexpectedly, or what is wrong is not one file.
    """
    if workers == 0:
        yield map(Preparer(root, specs), tasks)
        return
    if sys.platform == "win32":
        workers = min(workers, 30)  # it can wait for 63 handles at once, two of each worker
    with _start(workers, root, specs) as started:
        yield _exchange(iter(tasks), started)


class _Worker:
    """The main process's side of a worker."""

    def __init__(self, process: SpawnProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.at_work: dict[str, Task] = {}

    def give(self, tasks: Iterator[Task]) -> None:
        """Send tasks until it has enough or there are no more."""
        while len(self.at_work) < IN_FLIGHT and (task := next(tasks, None)) is not None:
            self.at_work[task.id] = task
            try:
                self.pipe.send(task)
            except OSError:
                self.fail()

    def take(self) -> Prepared:
        """Receive a result.

        Raises:
            SerError: the worker has ended, or reports what is not the fault of one file.
        """
        try:
            if not self.pipe.poll():
                self.fail()
            result = self.pipe.recv()
        except (EOFError, OSError):
            self.fail()
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, Prepared)
        del self.at_work[result.task.id]
        return result

    def fail(self) -> NoReturn:
        """Say what is known of a worker that has ended by itself."""
        self.process.join(timeout=5)
        raise SerError(
            f"a worker process ended unexpectedly (exit code {self.process.exitcode}) at one of "
            f"the utterances {', '.join(self.at_work)}. What was finished is in the cache: run "
            "again to go on, with --workers 0 to see the failure itself. In a script of your own, "
            'call extract below `if __name__ == "__main__":`'
        )


def _exchange(tasks: Iterator[Task], workers: Sequence[_Worker]) -> Iterator[Prepared]:
    """Keep every worker supplied, and yield what comes back."""
    for worker in workers:
        worker.give(tasks)
    handles = [handle for w in workers for handle in (w.pipe, w.process.sentinel)]
    while any(worker.at_work for worker in workers):
        ready = wait(handles)
        for worker in workers:
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            result = worker.take()
            worker.give(tasks)
            yield result


@contextmanager
def _start(count: int, root: Path, specs: Sequence[str]) -> Iterator[list[_Worker]]:
    """Run workers; at the end none of them is left."""
    context = multiprocessing.get_context("spawn")
    workers: list[_Worker] = []
    try:
        with _quiet_start():
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve, args=(theirs, root, tuple(specs)), daemon=True
                )
                process.start()
                theirs.close()
                workers.append(_Worker(process, ours))
        yield workers
    finally:
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


@contextmanager
def _quiet_start() -> Iterator[None]:
    """What processes started in here inherit: one thread each, and deafness to Ctrl-C.

    Ctrl-C reaches every process of the terminal; the main one alone acts on it. That has to hold
    from a worker's first instruction on, or it dies in the middle of its imports with a traceback.
    """
    one_each = environment(dict.fromkeys(_THREADS, "1"))
    with one_each, handled({signal.SIGINT: signal.SIG_IGN}):
        yield


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and leave it as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def _serve(pipe: Connection, root: Path, specs: tuple[str, ...]) -> None:
    """Prepare what comes through the pipe until it ends: the whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows does not inherit it
    prepare = Preparer(root, specs)
    try:
        while True:
            task = pipe.recv()
            try:
                result: Prepared | SerError = prepare(task)
            except MemoryError:
                result = SerError(f"out of memory at utterance {task.id}; use fewer --workers")
            except SerError as error:
                result = error
            pipe.send(result)
    except (EOFError, OSError):
        return  # the main process has what it wants, or is gone
