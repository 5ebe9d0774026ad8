"""The way of every utterance: prepared by a process, modelled in a thread, handed over."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from .backbones.backbone import Backbone
from .distant import Root
from .faults import Fault
from .prepare import Prepared, Task
from .workers import preparing

if TYPE_CHECKING:
    from .models import Models


class Sink(Protocol):
    """Where what comes out of the models goes; called by the thread that feeds them."""

    def store(self, spec: str, task: Task, feature: object) -> None:
        """Take a feature."""

    def refuse(self, spec: str, task: Task, fault: Fault) -> None:
        """Hear why there is none."""


class Results(Sink, Protocol):
    """Where all that comes out goes; called by the thread that goes on with `work`."""

    def note(self, prepared: Prepared) -> None:
        """Hear that an utterance was prepared, and what was wrong with it."""


def work(
    tasks: Iterable[Task],
    root: Root,
    backbones: Mapping[str, Backbone],
    results: Results,
    workers: int,
    alone: bool = False,
) -> Generator[None, None, None]:
    """Prepare utterances and run the models over them, and pause whenever results may have come.

    Tasks are taken as they are needed, and results come in any order. Processes and threads are
    gone when the iterator ends or is closed.

    Args:
        backbones: of all features that tasks ask for, by spec.
        workers: processes that prepare; 0 does it in this one.
        alone: one utterance after the other, and all memory for it.

    Raises:
        InputError, SerError: as `preparing`, `Backbone.load` and `Models.add`.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(preparing(tasks, root, backbones, workers, alone))
        models: Models | None = None
        if modelled := [backbone for backbone in backbones.values() if backbone.batch_rows]:
            loaded: dict[str, Backbone] = {}
            for backbone in modelled:  # while the workers start
                first = loaded.setdefault(backbone.unperturbed, backbone)
                if first is not backbone:
                    backbone.take_model(first)
                backbone.load()
            from ..machine import torch_device
            from .models import Models

            device = torch_device(modelled[0].device)
            models = stack.enter_context(Models(results, device, alone))
        for prepared in stream:
            results.note(prepared)
            for spec, array in prepared.arrays.items():
                if models and backbones[spec].batch_rows:
                    models.add(backbones[spec], prepared.task, array)
                else:
                    results.store(spec, prepared.task, array)
            yield
        if models:
            models.finish()
        yield
