"""The features of many files, in memory alone: each is done with before the next ones come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..cache import FeatureKey, as_stored
from ..errors import AudioError, InputError
from ..manifests import stored_path
from .backbones.backbone import Backbone
from .faults import Fault, fault_of_file
from .prepare import Prepared, Task
from .work import work

T = TypeVar("T")

Features = dict[str, NDArray[Any]]
"""What the cache would hold of a sound, by name: (frames, dim) or (dim,)."""

AHEAD = 1000
"""Files that may be done before one that takes long, or is to be tried once more."""


def each_file(
    files: Iterable[Path],
    backbones: Mapping[str, Backbone],
    keys: Mapping[str, FeatureKey],
    use: Callable[[Features], T],
    workers: int = 0,
) -> Generator[T | AudioError, None, None]:
    """What `use` makes of the features of every file, in the order of the files.

    Features are used as soon as a file has all of them, and then forgotten; files are asked for as
    they are needed. So memory does not grow with their number. Their bits are those of extraction.

    Args:
        backbones: by the names of the features, as `keys`.
        workers: processes that decode and run the front ends; 0 does it in this process.

    Yields:
        What was made of a file, or why it cannot be used.

    Raises:
        InputError, SerError: as `work`.
    """
    by_spec = {backbone.spec: backbone for backbone in backbones.values()}
    names = {backbone.spec: name for name, backbone in backbones.items()}
    results = _InOrder({spec: keys[name] for spec, name in names.items()}, names, use)
    remaining = iter(files)

    def go(tasks: Iterable[Task], processes: int, alone: bool) -> Iterator[T | AudioError]:
        with closing(work(tasks, Path(), by_spec, results, processes, alone)) as steps:
            for _ in steps:
                yield from results.ready()

    while not results.exhausted:
        yield from go(results.tasks(remaining), workers, False)
        if second := results.second_chances():
            yield from go(second, min(workers, 1), True)


@dataclass
class _File:
    """What there is of a file so far, by spec."""

    features: Features = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)


class _InOrder(Generic[T]):
    """What came of the files, until it is their turn."""

    def __init__(
        self,
        keys: Mapping[str, FeatureKey],
        names: Mapping[str, str],
        use: Callable[[Features], T],
    ) -> None:
        self.exhausted = False
        self._keys = keys
        self._names = names
        self._use = use
        self._given = self._told = 0
        self._files: dict[str, _File] = {}
        self._done: dict[str, T | AudioError] = {}
        self._put_off: dict[Task, list[str]] = {}
        self._last = False

    def tasks(self, files: Iterator[Path]) -> Iterator[Task]:
        """Files as they are asked for, until there are too many whose turn has not come."""
        self._last = False
        while self._given - self._told < AHEAD:
            if (file := next(files, None)) is None:
                self.exhausted = True
                return
            id = str(self._given)
            self._given += 1
            self._files[id] = _File()
            yield Task(id, stored_path(str(file)), "", tuple(self._keys), 0.0)

    def second_chances(self) -> list[Task]:
        """What is to be tried once more, for the last time."""
        put_off = [replace(task, specs=tuple(specs)) for task, specs in self._put_off.items()]
        self._put_off, self._last = {}, True
        return put_off

    def ready(self) -> Iterator[T | AudioError]:
        """What came of the next files."""
        while (id := str(self._told)) in self._done:
            self._told += 1
            yield self._done.pop(id)

    def note(self, prepared: Prepared) -> None:
        if prepared.bad_file:
            for spec in prepared.task.specs:
                self._lacks(spec, prepared.task, prepared.bad_file, prepared.bad_file.reason)
        for spec, fault in prepared.bad.items():
            self.refuse(spec, prepared.task, fault)

    def store(self, spec: str, task: Task, feature: object) -> None:
        key = self._keys[spec]
        try:
            stored = as_stored(spec, key, np.asarray(feature))
        except InputError as error:
            self._lacks(spec, task, Fault(str(error)), str(error))
        except Exception as error:
            self.refuse(spec, task, Fault(fault_of_file(error)))
        else:
            file = self._files[task.id]
            file.features[self._names[spec]] = stored[0] if key.kind == "vector" else stored
            self._finish(task.id)

    def refuse(self, spec: str, task: Task, fault: Fault) -> None:
        self._lacks(spec, task, fault, f"{spec}: {fault.reason}")

    def _lacks(self, spec: str, task: Task, fault: Fault, reason: str) -> None:
        if fault.again and not self._last:
            self._put_off.setdefault(task, []).append(spec)
        else:
            self._files[task.id].bad[spec] = reason
            self._finish(task.id)

    def _finish(self, id: str) -> None:
        """Use a file that has all that it will have."""
        file = self._files[id]
        if len(file.features) + len(file.bad) == len(self._keys):
            del self._files[id]
            if file.bad:
                reason = next(file.bad[spec] for spec in self._keys if spec in file.bad)
                self._done[id] = AudioError(reason)
            else:
                self._done[id] = self._use(file.features)
