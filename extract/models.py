"""The models' side of a run: utterances gather, are sorted by length and go through in batches,
several calls at once, within the memory that there is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from ..machine import cores, free_on_host, release_memory
from .backbones.backbone import Array, Backbone
from .batches import similar_lengths
from .faults import Fault, fault_of_file, out_of_memory, starved
from .prepare import Task

if TYPE_CHECKING:
    from .work import Sink

Item = tuple[Task, Array]
"""An utterance, and what `prepare` made of it."""

POOL = 4
"""Batches that gather before they are sorted by length: with more, lengths differ less."""

_AHEAD = 4
"""Calls that wait for a thread, so that none is idle."""


class Models:
    """Threads in which `forward` runs; a context manager, at whose end none is left.

    On a CPU there are as many as cores, and every call has its own alone: so the bits of a feature
    do not depend on how many there are. A GPU gets one call after the other. Whatever a call raises
    is an utterance's own fault, unless `fault_of_file` says otherwise: those that shared it are
    tried without each other.
    """

    def __init__(self, sink: Sink, device: torch.device, alone: bool = False) -> None:
        """Make the threads; `sink` gets what comes out, whenever `add` or `finish` is called. With
        `alone` there is one call at a time, and all memory for it."""
        self._sink = sink
        self._device = device
        self._on_host = device.type == "cpu"
        self._alone = alone
        threads = 1 if alone or not self._on_host else cores()
        self._most = 1 if alone else threads + _AHEAD
        self._executor = ThreadPoolExecutor(threads)
        self._running: dict[Future[list[Array]], _Call] = {}
        self._gathered: dict[str, tuple[Backbone, list[Item]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)
        # Threads that use torch later begin with the number that was set last, by whichever call.
        torch.set_num_threads(torch.get_num_threads())

    def add(self, backbone: Backbone, task: Task, prepared: Array) -> None:
        """Take one utterance for a model; where calls may be shared, it first gathers with others.

        Raises:
            SerError: an earlier call failed, and not by the fault of a file.
        """
        _, gathered = self._gathered.setdefault(backbone.spec, (backbone, []))
        gathered.append((task, prepared))
        shared = not self._alone and (backbone.exact_batches or not self._on_host)
        if not shared or sum(len(rows) for _, rows in gathered) >= POOL * backbone.batch_rows:
            self._send(backbone.spec)

    def finish(self) -> None:
        """Send what has gathered, and wait for everything; raises as `add`."""
        for spec in [*self._gathered]:
            self._send(spec)
        while self._running:
            self._collect()

    def _send(self, spec: str) -> None:
        backbone, gathered = self._gathered.pop(spec)
        for batch in similar_lengths([rows for _, rows in gathered], backbone.batch_rows):
            self._run(backbone, [gathered[i] for i in batch])

    def _run(self, backbone: Backbone, items: Sequence[Item]) -> None:
        """Send utterances through a model, in one call if that succeeds; returns when it waits."""
        longest = max(len(array) for _, array in items)
        need = backbone.memory(longest) * len(items) if self._on_host else 0
        call = _Call(backbone, list(items), need)
        while self._running and (len(self._running) >= self._most or not self._has_room(need)):
            self._collect()
        if self._has_room(need):
            self._running[self._executor.submit(call)] = call
        else:
            self._starved(call)

    def _has_room(self, need: int) -> bool:
        """Whether a call may begin beside those that run. What it needs is an estimate, and where
        that fails the system may end the process, with all that is not published yet: so half is
        kept back, unless everything else is done."""
        if not need:
            return True
        room = free_on_host()
        return need + sum(call.need for call in self._running.values()) <= (
            room if self._alone else room // 2
        )

    def _collect(self) -> None:
        """Wait until some call is done, and hand over what came of it."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        ended = [(self._running.pop(future), future) for future in done]
        for call, future in ended:
            if future.exception() is None:
                for (task, _), feature in zip(call.items, future.result(), strict=True):
                    self._sink.store(call.backbone.spec, task, feature)
        for call, future in ended:
            if (error := future.exception()) is not None:
                self._failed(call, error)

    def _failed(self, call: _Call, error: BaseException) -> None:
        if out_of_memory(error):
            error.__traceback__ = None  # which holds all that the call had made
            release_memory(self._device)
            self._starved(call)
            return
        reason = fault_of_file(error)  # which raises where no smaller call would fare better
        if len(call.items) == 1:
            self._sink.refuse(call.backbone.spec, call.items[0][0], Fault(reason))
        else:
            for item in call.items:
                self._run(call.backbone, [item])

    def _starved(self, call: _Call) -> None:
        """Memory does not suffice: two calls of half as many, or an utterance is refused."""
        if len(call.items) > 1:
            middle = len(call.items) // 2
            self._run(call.backbone, call.items[:middle])
            self._run(call.backbone, call.items[middle:])
        else:
            task = call.items[0][0]
            about = f" (about {call.need / 1e9:.1f} GB)" if call.need else ""
            fault = Fault(starved(task.seconds).reason + about, again=not self._alone)
            self._sink.refuse(call.backbone.spec, task, fault)


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a model."""

    backbone: Backbone
    items: Sequence[Item]
    need: int
    """Bytes, about."""

    def __call__(self) -> list[Array]:
        found = list(self.backbone.forward([array for _, array in self.items]))
        if len(found) != len(self.items):
            raise ValueError(f"forward gave {len(found)} features for {len(self.items)} utterances")
        return found
