"""Workers that are actors of a Ray cluster.

Ray places them, and says when one has ended. What a worker holds is put into the cluster's store
once, and so travels to each machine once; arrays in it, tensors included, are seen there without a
copy. A job whose machine goes is done again elsewhere; one at which a worker ends is `Lost`.
"""

from __future__ import annotations

import platform
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ..errors import SerError, install_command
from .base import Job, Lost, Make, Result, Todo, WorkerEndedError, sendable
from .connection import connected, other_versions, versions
from .parcels import Parcel, packed

if TYPE_CHECKING:
    from types import ModuleType

LOOK_SECONDS = 1.0
"""How often to see whether there is still a machine that can hold a worker."""
PATIENCE_SECONDS = 60.0
"""For how long there may be none: a cluster that grows by itself needs a while to replace one."""
STARTS = 3
"""Workers that end before they come to work, one after the other, before it is given up."""
_LACKING = "No module named"
_NONE = object()
"""In place of a job."""


@dataclass(frozen=True)
class Cluster:
    """Workers on a Ray cluster.

    Args:
        address: `ray://host:10001`, `host:6379`, or `auto` for the one that this machine is of.
        workers: None: as many as there is room for.
        cpus, gpus: that each has for itself; parts of a GPU too.
    """

    address: str
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    @property
    def device(self) -> str:
        """What a worker computes on, as torch names it."""
        return "cuda" if self.gpus else "cpu"

    @cached_property
    def count(self) -> int:
        """How many workers there are.

        Raises:
            MissingPackageError: Ray is not installed.
            SerError: no such cluster, one of other versions, or no machine that can hold a worker.
        """
        ray = connected(self.address)
        room = self._room(ray)
        if not room:
            has = ", ".join(
                f"{node['NodeManagerHostname']} has {_resource(node, 'CPU'):g} CPUs and "
                f"{_resource(node, 'GPU'):g} GPUs"
                for node in _alive(ray)
            )
            raise SerError(
                f"--cluster {self.address}: no machine has room for a worker of {self.cpus:g} CPUs "
                f"and {self.gpus:g} GPUs ({has or 'there is none'}); ask for less with "
                "--cpus-per-worker and --gpus-per-worker"
            )
        return min(room, self.workers or room)

    def _room(self, ray: ModuleType) -> int:
        """How many workers the machines can hold, whoever else is at work there."""
        return sum(
            int(
                min(
                    _resource(node, name) / wanted
                    for name, wanted in (("CPU", self.cpus), ("GPU", self.gpus))
                    if wanted
                )
            )
            for node in _alive(ray)
        )

    @contextmanager
    def running(
        self,
        make: Make[Job, Result],
        jobs: Iterator[Job],
        ahead: int = 1,
        heard: Callable[[Any], None] = lambda event: None,
    ) -> Iterator[Iterator[tuple[Job, Result | Lost]]]:
        """See `Workers.running`; what workers tell is not heard, and none gets a job ahead."""
        crew = _Crew(self, connected(self.address), make, self.count)
        try:
            yield crew.exchange(Todo(jobs))
        finally:
            crew.dismiss()


class _Crew:
    """The actors of one `running`."""

    def __init__(self, cluster: Cluster, ray: ModuleType, make: Make[Any, Any], count: int) -> None:
        self._cluster, self._ray = cluster, ray
        self._actor = ray.remote(_Actor).options(
            num_cpus=cluster.cpus, num_gpus=cluster.gpus, max_restarts=0, max_task_retries=0
        )
        parcel = packed(make)
        self._parcel = Parcel(parcel.data, [ray.put(buffer) for buffer in parcel.buffers])
        self._all: list[Any] = []
        self._waiting: dict[Any, tuple[Any, Any]] = {}
        """By what is awaited: the actor, and its job; none while it comes to work."""
        self._idle: deque[Any] = deque()
        self._node: dict[Any, str] = {}
        self._deaths = 0
        """Of workers that had not come to work, one after the other."""
        self._alone_since: float | None = None
        for _ in range(count):
            self._hire()

    def exchange(self, jobs: Todo[Job]) -> Iterator[tuple[Job, Any]]:
        """Keep every actor supplied, and yield what comes back."""
        errors = self._ray.exceptions
        while True:
            while self._idle and (job := next(jobs, _NONE)) is not _NONE:
                actor = self._idle.popleft()
                self._waiting[actor.do.remote(packed(job))] = (actor, job)
            at_work = any(job is not _NONE for _, job in self._waiting.values())
            if not at_work and self._idle:
                return
            ready, _ = self._ray.wait(list(self._waiting), num_returns=1, timeout=LOOK_SECONDS)
            if not ready:
                self._check_room()
                continue
            self._alone_since = None
            awaited = list(self._waiting)
            ready, _ = self._ray.wait(awaited, num_returns=len(awaited), timeout=0)
            failures: list[BaseException] = []
            for reference in ready:
                actor, job = self._waiting.pop(reference)
                try:
                    answer = self._ray.get(reference)
                except (errors.RayActorError, errors.ObjectLostError) as error:
                    # A result may be lost with its machine after the job was done there.
                    gone = isinstance(error, errors.ObjectLostError) or self._gone(actor)
                    if job is _NONE:
                        self._deaths += 1
                        if _LACKING in str(error):
                            failures.append(SerError(_of_worker(error)))
                        elif self._deaths >= STARTS:
                            failures.append(WorkerEndedError(_first_line(error), []))
                    elif gone:
                        jobs.give_back([cast("Job", job)])
                    else:
                        yield cast("Job", job), Lost(_first_line(error))
                    self._end(actor)  # it may only be out of reach, and keep its place
                    self._hire()
                    continue
                except errors.RayError as error:
                    failures.append(SerError(_of_worker(error)))
                    continue
                if isinstance(answer, _Failed):
                    failures.append(answer.error)
                    continue
                self._idle.append(actor)
                if job is _NONE:
                    self._node[actor], self._deaths = cast(str, answer), 0
                else:
                    yield cast("Job", job), answer
            if failures:  # when all that was finished is handed over
                raise failures[0]

    def _hire(self) -> None:
        actor = self._actor.remote()
        self._all.append(actor)
        make = (self._parcel.data, *self._parcel.buffers)
        start = actor.start.remote(versions(), self._cluster.cpus, *make)
        self._waiting[start] = (actor, _NONE)

    def _gone(self, actor: Any) -> bool:
        """Whether the machine of an actor is gone, and not the actor alone."""
        return actor in self._node and self._node[actor] not in {
            node["NodeID"] for node in _alive(self._ray)
        }

    def _check_room(self) -> None:
        """Raise SerError where for a while no machine has had room for a worker."""
        if self._cluster._room(self._ray):
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > PATIENCE_SECONDS:
            raise SerError(
                f"--cluster {self._cluster.address}: no machine is left that has room for a "
                "worker. What was finished is kept: run the same command again when there is one"
            )

    def dismiss(self) -> None:
        """Have all actors end, whatever they do."""
        for actor in self._all:
            self._end(actor)

    def _end(self, actor: Any) -> None:
        with suppress(Exception):  # it is gone, or the cluster is
            self._ray.kill(actor)


@dataclass(frozen=True)
class _Failed:
    """What making a worker, or a job, raised."""

    error: BaseException


class _Actor:
    """A worker, as Ray runs it."""

    def start(
        self, driver: tuple[str, str], cpus: float, make: bytes, *buffers: Any
    ) -> str | _Failed:
        """Come to work; the machine's id in the cluster."""
        import ray

        from ..machine import limit_cores

        if (here := versions()) != driver:
            return _Failed(SerError(other_versions(platform.node(), driver, here)))
        limit_cores(max(1, int(cpus)))
        try:
            self._do = Parcel(make, list(buffers)).opened()(lambda event: None)
        except BaseException as error:
            return _Failed(sendable(error))
        return str(ray.get_runtime_context().get_node_id())

    def do(self, job: Parcel) -> Any:
        """Do a job."""
        try:
            return self._do(job.opened())
        except BaseException as error:
            return _Failed(sendable(error))


def _of_worker(error: Exception) -> str:
    """What to say of a worker that does not know what it is sent."""
    text = " ".join(str(error).split())
    if _LACKING in text:
        module = text.partition(_LACKING)[2].split()[0].strip("'\".,)")
        return (
            f"a machine of the cluster has no module {module}; install the same on all machines, "
            f"{install_command('ray')}"
        )
    return f"a worker of the cluster fails: {text[-400:]}"


def _alive(ray: ModuleType) -> list[Mapping[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _resource(node: Mapping[str, Any], name: str) -> float:
    return float(node["Resources"].get(name, 0))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.partition("\n")[0][:200] or type(error).__name__
