"""What happens to one utterance: decoded once, then the front end of every backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..machine import one_thread
from ..manifests import audio_path
from .audio import load_utterance
from .backbones.backbone import Array, Backbone
from .faults import fault_of_file, out_of_memory


@dataclass(frozen=True)
class Task:
    """One utterance to prepare."""

    id: str
    path: str
    """As in the manifest."""
    audio_hash: str
    specs: tuple[str, ...]
    """The features that it lacks."""
    seconds: float
    """How long it is."""


@dataclass(frozen=True)
class Prepared:
    """What became of a task."""

    task: Task
    arrays: dict[str, Array] = field(default_factory=dict)
    """What `Backbone.forward` takes, by spec."""
    bad: dict[str, str] = field(default_factory=dict)
    """Why there is none, by spec."""
    bad_file: str | None = None
    """Why the file cannot be used for any feature."""
    again: tuple[str, ...] = ()
    """Features that it may yet have when it is tried once more, alone; else it is bad."""


class Preparer:
    """The front ends of some features, ready for one utterance after the other."""

    def __init__(self, root: Path, backbones: Mapping[str, Backbone]) -> None:
        self.root = root
        self.backbones = backbones

    def __call__(self, task: Task) -> Prepared:
        """Prepare one utterance; what is wrong with the file is in the result.

        In one thread, here as in every worker: how many there are decides in what order a library
        adds, and so the last bits.

        Raises:
            SerError: what is wrong is not the file, such as a package that is not installed.
        """
        with one_thread():
            try:
                samples = load_utterance(audio_path(self.root, task.path), task.audio_hash)
            except BaseException as error:
                if out_of_memory(error):
                    return Prepared(task, bad_file=no_memory(task), again=task.specs)
                return Prepared(task, bad_file=fault_of_file(error))
            prepared = Prepared(task)
            again = []
            for spec in task.specs:
                try:
                    # A copy: what one front end does to its samples is nothing to the next.
                    found = self.backbones[spec].prepare(samples.copy())
                    prepared.arrays[spec] = _plain(found)
                except BaseException as error:
                    if out_of_memory(error):
                        prepared.bad[spec] = no_memory(task)
                        again.append(spec)
                    else:
                        prepared.bad[spec] = fault_of_file(error)
        return Prepared(task, prepared.arrays, prepared.bad, again=tuple(again))


def no_memory(task: Task) -> str:
    """The reason where memory does not suffice for an utterance."""
    return f"not enough memory for its {task.seconds:.0f} s"


def _plain(array: object) -> Array:
    """An array that can go to another process.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(array, np.ndarray) or array.dtype.hasobject or not array.ndim:
        raise TypeError(f"prepare returned {type(array).__name__}, expected an array of floats")
    return np.asarray(array)
