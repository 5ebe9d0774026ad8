"""A few processes that prepare utterances for the main one."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from ..errors import InputError, SerError
from ..workers import Lost, Processes, WorkerEndedError
from .backbones.backbone import Backbone
from .distant import Root
from .faults import Fault, fault_of, starved
from .prepare import Prepared, Task, prepare

IN_FLIGHT = 4
"""Tasks that a worker holds: one at work, the others so that it need not wait for the next."""


@contextmanager
def preparing(
    tasks: Iterable[Task],
    root: Root,
    backbones: Mapping[str, Backbone],
    workers: int,
    alone: bool = False,
) -> Iterator[Iterator[Prepared]]:
    """Give what becomes of the tasks, in any order, as it is done.

    The workers start at once and are gone at the end of the context, however that comes. Tasks are
    taken as they are needed.

    Args:
        backbones: of all features that tasks ask for, by spec.
        workers: processes; 0 does it in this one.
        alone: a worker gets one task at a time, each of which may be its end.

    Raises:
        InputError: a backbone cannot be sent to workers.
        SerError: (the iterator) workers do not come to work, or what is wrong is not one file.
    """
    if workers == 0:
        yield map(partial(prepare, root, backbones), tasks)
        return
    make = partial(preparer, root, pickled(backbones))
    crew = Processes(workers, patient=alone)
    with crew.running(make, iter(tasks), 1 if alone else IN_FLIGHT) as results:
        yield _told(results)


def _told(results: Iterator[tuple[Task, Prepared | Lost]]) -> Iterator[Prepared]:
    """What came of each task, if only that its worker ended at it."""
    try:
        for task, result in results:
            yield _unprepared(task, result) if isinstance(result, Lost) else result
    except WorkerEndedError as error:
        where = ", ".join(task.path for task in error.jobs)
        raise SerError(
            f"a worker process ended unexpectedly ({error.told}) at one of the "
            f"utterances {where}; run again with --workers 0 to see the failure itself"
        ) from None


def _unprepared(task: Task, lost: Lost) -> Prepared:
    if lost.error:
        return Prepared(task, bad_file=fault_of(lost.error, task.seconds))
    reason = (
        f"the process that works on it ends ({lost.told}): a fault in a library, "
        f"or {starved(task.seconds).reason}"
    )
    return Prepared(task, bad_file=Fault(reason, again=True))


def pickled(backbones: Mapping[str, Backbone]) -> dict[str, bytes]:
    """Backbones as they are sent to other processes, with their classes where these are of a
    notebook or a script.

    Raises:
        InputError: one cannot be sent.
    """
    import cloudpickle

    sent: dict[str, bytes] = {}
    for spec, backbone in backbones.items():
        try:
            sent[spec] = cloudpickle.dumps(backbone)
        except Exception as error:  # as each of its attributes likes
            raise InputError(
                f"feature {spec}: cannot be sent to worker processes ({type(error).__name__}: "
                f"{error}). Make in prepare or make_model what cannot be pickled, or prepare in "
                "this process: workers=0"
            ) from error
    return sent


def unpickled(sent: Mapping[str, bytes]) -> dict[str, Backbone]:
    """What `pickled` sent.

    Raises:
        SerError: one cannot be made here.
    """
    backbones: dict[str, Backbone] = {}
    for spec, data in sent.items():
        try:
            backbones[spec] = pickle.loads(data)
        except Exception as error:
            raise SerError(
                f"feature {spec}: cannot be made in a worker process ({type(error).__name__}: "
                f"{error}). Modules that it is made with must be importable there; or prepare "
                "in this process: workers=0"
            ) from error
    return backbones


def preparer(
    root: Root, sent: Mapping[str, bytes], tell: Callable[[object], None]
) -> Callable[[Task], Prepared]:
    """What a worker does: `prepare`."""
    return partial(prepare, root, unpickled(sent))
