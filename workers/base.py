"""What it is to have jobs done by workers, whoever they are."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..errors import SerError

Job = TypeVar("Job")
Result = TypeVar("Result")

Do = Callable[[Job], Result]
"""Does a job; whatever it raises ends the whole."""
Make = Callable[[Callable[[Any], None]], Do[Job, Result]]
"""What each worker is sent, pickled, and calls once: for what it then does with every job. The
argument is called to tell something meanwhile."""


@dataclass(frozen=True)
class Lost:
    """A job of which there is no result: its worker ended at it, or the result cannot be sent.

    Attributes:
        told: how the worker ended, for people: `exit code -9`.
        error: why the result cannot be sent; None where the worker ended.
    """

    told: str
    error: BaseException | None = None


class WorkerEndedError(SerError):
    """Workers end before they come to work, or whatever the job.

    Attributes:
        told: how, as `Lost` has it.
        jobs: one of which it ended at, perhaps.
    """

    def __init__(self, told: str, jobs: list[Any]) -> None:
        super().__init__(f"a worker process ended unexpectedly ({told})")
        self.told, self.jobs = told, jobs


def sendable(error: BaseException) -> BaseException:
    """An error that can be sent, and received."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        known = isinstance(error, SerError)
        return SerError(str(error) if known else f"{type(error).__name__}: {error}")
    return error


class Todo(Iterator[Job]):
    """Jobs to do, and before them those that were given back."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._back: deque[Job] = deque()

    def __next__(self) -> Job:
        return self._back.popleft() if self._back else next(self._jobs)

    def give_back(self, jobs: Iterable[Job]) -> None:
        """Have some done by another worker."""
        self._back.extend(jobs)


class Workers(Protocol):
    """Processes, here or elsewhere.

    Attributes:
        count: how many.
    """

    @property
    def count(self) -> int: ...

    def running(
        self,
        make: Make[Job, Result],
        jobs: Iterator[Job],
        ahead: int = 1,
        heard: Callable[[Any], None] = lambda event: None,
    ) -> AbstractContextManager[Iterator[tuple[Job, Result | Lost]]]:
        """Give each job with what came of it, in any order, as it is done.

        The workers start at once and are gone at the end of the context, however that comes. A job
        is taken when a worker can do it; an iterator that has ended is asked again after every
        result, for jobs that the result made.

        Args:
            ahead: jobs that a worker holds, one of them at work.
            heard: called with what workers tell, where that reaches this process.

        Raises:
            WorkerEndedError: (the iterator) it is not the jobs that end the workers.
            SerError: (the iterator) workers cannot be had; and whatever a job raises.
        """
