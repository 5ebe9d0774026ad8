"""Workers that are processes of this machine.

Each hangs on a pipe of its own, of which only the main process holds the other end: should that end
in any way, kill -9 included, the worker ends too. A job is sent when a result has come back, so
the memory does not grow with the jobs. A worker that ends at a job has a successor.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Generic, NamedTuple, cast

from ..signals import quiet_start
from .base import Job, Lost, Make, Result, Todo, WorkerEndedError, sendable

HOPELESS = 32
"""Workers that end, before there is a single result: then it is not the jobs."""
_MOST_ON_WINDOWS = 30
"""It can wait for 63 handles at once, two of each worker."""


class Processes:
    """So many processes of this machine, one thread of linear algebra each.

    Args:
        context: how they start; None: each from nothing.
        patient: one that ends at its job, again and again, has a successor all the same.
    """

    def __init__(
        self, count: int, context: BaseContext | None = None, patient: bool = False
    ) -> None:
        self.count = min(count, _MOST_ON_WINDOWS) if sys.platform == "win32" else count
        self._context = context or multiprocessing.get_context("spawn")
        self._patient = patient

    @contextmanager
    def running(
        self,
        make: Make[Job, Result],
        jobs: Iterator[Job],
        ahead: int = 1,
        heard: Callable[[Any], None] = lambda event: None,
    ) -> Iterator[Iterator[tuple[Job, Result | Lost]]]:
        """See `Workers.running`."""
        crew: list[_Worker[Job]] = []

        def hire() -> _Worker[Job]:
            return _Worker(self._context, make)

        try:
            for _ in range(self.count):
                crew.append(hire())
            yield self._exchange(Todo(jobs), crew, hire, ahead, heard)
        finally:
            for worker in crew:
                worker.dismiss()
            for worker in crew:
                worker.process.join()

    def _exchange(
        self,
        jobs: Todo[Job],
        crew: list[_Worker[Job]],
        hire: Callable[[], _Worker[Job]],
        ahead: int,
        heard: Callable[[Any], None],
    ) -> Iterator[tuple[Job, Any]]:
        """Keep every worker supplied, and yield what comes back; one that has ended is replaced."""
        results = deaths = 0
        while True:
            for worker in crew:
                worker.give(jobs, ahead)
            busy = [worker for worker in crew if worker.at_work]
            if not busy:
                return
            ready = wait([handle for w in busy for handle in (w.pipe, w.process.sentinel)])
            failures: list[BaseException] = []
            lost: list[tuple[Job, Lost]] = []
            for worker in busy:
                if worker.pipe not in ready and worker.process.sentinel not in ready:
                    continue
                try:
                    message = worker.take()
                except (EOFError, OSError, MemoryError):
                    deaths += 1
                    told = worker.fell()
                    job, *others = worker.at_work
                    hopeless = deaths >= HOPELESS and not results and not self._patient
                    if hopeless or not worker.came_to_work:
                        failures.append(WorkerEndedError(told, [*worker.at_work]))
                        continue
                    jobs.give_back(others)
                    crew[crew.index(worker)] = hire()
                    lost.append((job, Lost(told)))
                    continue
                if isinstance(message, _Event):
                    heard(message.value)
                elif isinstance(message, _Raised):
                    failures.append(message.error)
                elif isinstance(message, _Done):
                    results += 1
                    job = worker.at_work.popleft()
                    worker.give(jobs, ahead)
                    yield job, message.result
            yield from lost  # what is finished is handed over before a failure ends everything
            if failures:
                raise failures[0]


class _Event(NamedTuple):
    """What a worker tells."""

    value: object


class _Raised(NamedTuple):
    """What making a worker, or a job, raised."""

    error: BaseException


class _Done(NamedTuple):
    """What came of a job."""

    result: object


class _Worker(Generic[Job]):
    """The main process's side of a worker."""

    def __init__(self, context: BaseContext, make: Make[Job, Any]) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(  # type: ignore[attr-defined]  # as every context has
            target=_serve, args=(theirs, Path.cwd(), make), daemon=True
        )
        with _one_threaded_start():
            self.process.start()
        theirs.close()
        self.at_work: deque[Job] = deque()
        """In the order in which it does them."""
        self.came_to_work = False

    def give(self, jobs: Iterator[Job], most: int) -> None:
        """Send jobs until it has enough or there are no more."""
        while len(self.at_work) < most:
            try:
                job = next(jobs)
            except StopIteration:
                return
            self.at_work.append(job)
            with suppress(OSError):  # it has ended, as `take` will find
                self.pipe.send(job)

    def take(self) -> _Event | _Raised | _Done | None:
        """Receive something; None where it only says that it has begun.

        Raises:
            EOFError, OSError, MemoryError: it has ended, or what it sent does not fit into memory.
        """
        if not self.pipe.poll():
            raise EOFError
        message = self.pipe.recv()
        self.came_to_work = self.came_to_work or message is None
        return cast("_Event | _Raised | _Done | None", message)

    def fell(self) -> str:
        """How it ended; it is dismissed."""
        self.process.join(timeout=5)
        code = self.process.exitcode
        self.dismiss()
        self.process.join()
        return f"exit code {code}"

    def dismiss(self) -> None:
        """Have it end, whatever it does."""
        self.pipe.close()
        self.process.terminate()


@contextmanager
def _one_threaded_start() -> Iterator[None]:
    """As `quiet_start`, for processes with one thread each."""
    before = {name: os.environ[name] for name in _THREADS if name in os.environ}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with quiet_start():
            yield
    finally:
        for name in _THREADS:
            del os.environ[name]
        os.environ.update(before)


_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def _serve(pipe: Connection, folder: Path, make: Make[Any, Any]) -> None:
    """The whole life of a worker: do what comes through the pipe until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows does not inherit it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.chdir(folder)  # multiprocessing starts it where the main process started
    with suppress(EOFError, OSError):  # the main process has what it wants, or is gone
        try:
            do = make(lambda event: pipe.send(_Event(event)))
        except BaseException as error:
            _send(pipe, _Raised(error))
            return
        pipe.send(None)
        while True:
            job = pipe.recv()
            try:
                message: _Done | _Raised = _Done(do(job))
            except BaseException as error:
                message = _Raised(error)
            _send(pipe, message)


def _end_with_parent() -> None:
    """End this process when the main one is gone, killed for instance."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _send(pipe: Connection, message: _Done | _Raised) -> None:
    """Send a message, or why it cannot be sent: what is pickled is so before anything is sent."""
    if isinstance(message, _Raised):
        message = _Raised(sendable(message.error))
    try:
        pipe.send(message)
    except (EOFError, OSError):
        raise
    except Exception as error:
        pipe.send(_Done(Lost("its result cannot be sent", sendable(error))))
