"""A few processes that prepare utterances for the main one.

Each worker hangs on a pipe of its own, of which only the main process holds the other end: should
that end in any way, kill -9 included, the worker reads the end of the pipe and ends too. A task
is sent when a result has come back, so the memory does not grow with the corpus. A worker that ends
at an utterance, by a fault in a library or for lack of memory, has a successor.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection, wait
from pathlib import Path

from ..errors import InputError, SerError
from ..signals import quiet_start
from .backbones.backbone import Backbone
from .faults import Fault, fault_of, starved
from .prepare import Prepared, Task, prepare

IN_FLIGHT = 4
"""Tasks that a worker holds: one at work, the others so that it need not wait for the next."""

_HOPELESS = 32
"""Workers that end, before there is a single result: then it is not the files."""


@contextmanager
def preparing(
    tasks: Iterable[Task],
    root: Path,
    backbones: Mapping[str, Backbone],
    workers: int,
    alone: bool = False,
) -> Iterator[Iterator[Prepared]]:
    """Give what becomes of the tasks, in any order, as it is done.

    The workers start at once and are gone at the end of the context, however that comes. Tasks are
    taken as they are needed.

    Args:
        backbones: of all features that tasks ask for, by spec.
        workers: how many processes; 0 is this one.
        alone: a worker gets one task at a time, each of which may be its end.

    Raises:
        InputError: a backbone cannot be sent to workers.
        SerError: (the iterator) workers do not come to work, or what is wrong is not one file.
    """
    if workers == 0:
        yield map(partial(prepare, root, backbones), tasks)
        return
    import cloudpickle

    if sys.platform == "win32":
        workers = min(workers, 30)  # it can wait for 63 handles at once, two of each worker
    pickled: dict[str, bytes] = {}
    for spec, backbone in backbones.items():
        try:  # with its class, where that is of a notebook or a script
            pickled[spec] = cloudpickle.dumps(backbone)
        except Exception as error:  # as each of its attributes likes
            raise InputError(
                f"feature {spec}: cannot be sent to worker processes ({type(error).__name__}: "
                f"{error}). Make in prepare or make_model what cannot be pickled, or prepare in "
                "this process: workers=0"
            ) from error
    crew: list[_Worker] = []
    try:
        for _ in range(workers):
            crew.append(_Worker(root, pickled))
        yield _exchange(iter(tasks), crew, lambda: _Worker(root, pickled), alone)
    finally:
        for worker in crew:
            worker.dismiss()
        for worker in crew:
            worker.process.join()


class _Worker:
    """The main process's side of a worker."""

    def __init__(self, root: Path, pickled: Mapping[str, bytes]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, Path.cwd(), root, pickled), daemon=True
        )
        with _one_threaded_start():
            self.process.start()
        theirs.close()
        self.at_work: dict[str, Task] = {}
        """In the order in which it does them."""
        self.came_to_work = False

    def give(self, tasks: Iterator[Task], most: int) -> None:
        """Send tasks until it has enough or there are no more."""
        while len(self.at_work) < most and (task := next(tasks, None)) is not None:
            self.at_work[task.id] = task
            with suppress(OSError):  # it has ended, as `take` will find
                self.pipe.send(task)

    def take(self) -> Prepared | None:
        """Receive a result, None where it only says that it has begun, or SerError to raise.

        Raises:
            EOFError, OSError, MemoryError: it has ended, or what it sent does not fit into memory.
        """
        if not self.pipe.poll():
            raise EOFError
        result = self.pipe.recv()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            self.came_to_work = True
            return None
        assert isinstance(result, Prepared)
        del self.at_work[result.task.id]
        return result

    def dismiss(self) -> None:
        """Have it end, whatever it does."""
        self.pipe.close()
        self.process.terminate()


def _exchange(
    tasks: Iterator[Task], crew: list[_Worker], hire: Callable[[], _Worker], alone: bool
) -> Iterator[Prepared]:
    """Keep every worker supplied, and yield what comes back; one that has ended is replaced."""
    in_flight = 1 if alone else IN_FLIGHT
    for worker in crew:
        worker.give(tasks, in_flight)
    results = deaths = 0
    while busy := [worker for worker in crew if worker.at_work]:
        ready = wait([handle for w in busy for handle in (w.pipe, w.process.sentinel)])
        for worker in busy:
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            try:
                result = worker.take()
            except (EOFError, OSError, MemoryError):
                deaths += 1
                worker.process.join(timeout=5)
                code = worker.process.exitcode
                worker.dismiss()
                worker.process.join()
                culprit, *others = worker.at_work.values()
                hopeless = deaths >= _HOPELESS and not results and not alone
                if hopeless or not worker.came_to_work:
                    where = ", ".join(task.path for task in worker.at_work.values())
                    raise SerError(
                        f"a worker process ended unexpectedly (exit code {code}) at one of the "
                        f"utterances {where}; run again with --workers 0 to see the failure itself"
                    ) from None
                tasks = chain(others, tasks)
                crew[crew.index(worker)] = successor = hire()
                successor.give(tasks, in_flight)
                reason = (
                    f"the process that works on it ends (exit code {code}): a fault in a library, "
                    f"or {starved(culprit.seconds).reason}"
                )
                yield Prepared(culprit, bad_file=Fault(reason, again=True))
                continue
            if result is not None:
                results += 1
                worker.give(tasks, in_flight)
                yield result


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


def _serve(pipe: Connection, folder: Path, root: Path, pickled: Mapping[str, bytes]) -> None:
    """The whole life of a worker: prepare what comes through the pipe until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows does not inherit it
    os.chdir(folder)  # multiprocessing starts it where the main process started
    with suppress(EOFError, OSError):  # the main process has what it wants, or is gone
        backbones: dict[str, Backbone] = {}
        for spec, data in pickled.items():
            try:
                backbones[spec] = pickle.loads(data)
            except Exception as error:
                reason = (
                    f"feature {spec}: cannot be made in a worker process ({type(error).__name__}: "
                    f"{error}). Modules that it is made with must be importable there; or prepare "
                    "in this process: workers=0"
                )
                pipe.send(SerError(reason))
                return
        pipe.send(None)
        while True:
            task = pipe.recv()
            try:
                result: Prepared | SerError = prepare(root, backbones, task)
            except SerError as error:
                result = error
            _send(pipe, task, result)


def _send(pipe: Connection, task: Task, result: Prepared | SerError) -> None:
    """Send a result, or why it cannot be sent: what is pickled is so before anything is sent."""
    try:
        pipe.send(result)
    except (EOFError, OSError):
        raise
    except Exception as error:
        if isinstance(result, SerError):
            pipe.send(SerError(str(result)))
        else:
            pipe.send(Prepared(task, bad_file=fault_of(error, task.seconds)))
