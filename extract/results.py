"""What comes out of the models, written as it comes, and what there was to say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from ..cache import ShardWriter
from ..errors import InputError
from ..manifests import BadFile
from .backbones.backbone import Backbone
from .distant import Root
from .faults import Fault, fault_of_file
from .prepare import Prepared, Task
from .work import work


@dataclass(frozen=True)
class Made:
    """What became of some utterances.

    Attributes:
        tasks: how many.
        audio_seconds: duration of those whose audio could be used.
        computed: how many were written, by feature.
        settled: those that are published or lack the feature, by feature.
        bad: why they lack it, by utterance.
    """

    tasks: int
    audio_seconds: float
    computed: Mapping[str, int]
    settled: Mapping[str, list[str]]
    bad: Mapping[str, list[BadFile]]


class Results:
    """What has come out so far.

    Args:
        specs: of the features.
        settle: called with a feature, and utterances that are published or found to lack it.

    Attributes:
        last_chance: whether what fails now is not tried once more.
        writers: by spec.
        computed: how many features were written, by spec.
        audio_seconds: duration of the utterances whose audio could be used.
        bad: why utterances lack a feature.
        first_bad: one reason for each of them.
    """

    def __init__(self, specs: Iterable[str], settle: Callable[[str, Iterable[str]], None]) -> None:
        self.last_chance = False
        self.writers: dict[str, ShardWriter] = {}
        self.computed = dict.fromkeys(specs, 0)
        self.audio_seconds = 0.0
        self.bad: dict[str, list[BadFile]] = {}
        self.first_bad: list[BadFile] = []
        self._settle_ids = settle
        self._stored: dict[str, list[str]] = {spec: [] for spec in self.computed}
        """What is not published yet, by spec."""
        self._put_off: dict[Task, list[str]] = {}
        self._decoded: set[str] = set()
        self._done = 0

    @property
    def done(self) -> int:
        """Utterances that are done, but for features that are still in the models."""
        return self._done - len(self._put_off)

    def compute(
        self,
        tasks: Iterator[Task],
        root: Root,
        backbones: Mapping[str, Backbone],
        workers: int,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """Compute and publish what some tasks ask for; those that fail for want of memory, or at
        which a worker ends, are tried once more, alone, when all others are published.

        Args:
            workers: processes that prepare; 0 does it in this one.
            step: called whenever something may have come out.

        Raises as `work`, and whatever `step` does.
        """
        self._run(tasks, root, backbones, workers, False, step)
        if second := self._second_chances():
            self._run(iter(second), root, backbones, min(workers, 1), True, step)
        self.publish()

    def _run(
        self,
        tasks: Iterator[Task],
        root: Root,
        backbones: Mapping[str, Backbone],
        workers: int,
        alone: bool,
        step: Callable[[], None],
    ) -> None:
        self.last_chance = alone
        step()
        if (first := next(tasks, None)) is None:
            return  # before processes are started and models loaded for nothing
        todo = chain([first], tasks)
        with closing(work(todo, root, backbones, self, workers, alone)) as steps:
            for _ in steps:
                step()

    def merge(self, made: Made) -> None:
        """Count what was made elsewhere."""
        self._done += made.tasks
        self.audio_seconds += made.audio_seconds
        for spec, count in made.computed.items():
            self.computed[spec] += count
        for bad in made.bad.values():
            for file in bad:
                self._know(file)
        for spec, ids in made.settled.items():
            self._settle_ids(spec, ids)

    def _second_chances(self) -> list[Task]:
        """What is to be tried once more, for the last time: all that was finished is published."""
        put_off = [replace(task, specs=tuple(specs)) for task, specs in self._put_off.items()]
        if put_off:
            self.publish()
        self._done -= len(put_off)
        self._put_off = {}
        return put_off

    def publish(self) -> None:
        """Publish all that was stored."""
        for spec, writer in self.writers.items():
            writer.publish()
            self._settle(spec)

    def note(self, prepared: Prepared) -> None:
        """Remember what was wrong with an utterance, and count it."""
        task = prepared.task
        self._done += 1
        if prepared.bad_file:
            self._lacks(task, task.specs, *prepared.bad_file)
        elif task.id not in self._decoded:
            self._decoded.add(task.id)
            self.audio_seconds += task.seconds
        for spec, fault in prepared.bad.items():
            self.refuse(spec, task, fault)

    def store(self, spec: str, task: Task, feature: object) -> None:
        """Write a feature; one that cannot be stored makes a bad file."""
        try:
            rows = np.asarray(feature)
        except Exception as error:
            self.refuse(spec, task, Fault(fault_of_file(error)))
            return
        try:
            self.writers[spec].add(task.id, rows)
        except InputError as error:
            self.refuse(spec, task, Fault(str(error)))
        else:
            self.computed[spec] += 1
            self._stored[spec].append(task.id)
            if not self.writers[spec].pending:  # a shard was due
                self._settle(spec)

    def refuse(self, spec: str, task: Task, fault: Fault) -> None:
        """Hear why there is no feature."""
        self._lacks(task, [spec], f"{spec}: {fault.reason}", fault.again)

    def _lacks(self, task: Task, specs: Iterable[str], reason: str, again: bool) -> None:
        if again and not self.last_chance:
            self._put_off.setdefault(task, []).extend(specs)
        else:
            self._know(BadFile(task.id, task.path, reason))
            for spec in specs:
                self._settle_ids(spec, [task.id])

    def _know(self, bad: BadFile) -> None:
        known = self.bad.setdefault(bad.id, [])
        if not known:
            self.first_bad.append(bad)
        if bad not in known:  # as where its features came to this process one after the other
            known.append(bad)

    def _settle(self, spec: str) -> None:
        self._settle_ids(spec, self._stored[spec])
        self._stored[spec] = []
