"""What happens to one utterance: decoded once, then the front end of every backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..machine import one_thread
from .audio import load_utterance
from .backbones.backbone import Array, Backbone
from .distant import Root, audio_file
from .faults import Fault, fault_of
from .perturb import perturbed


@dataclass(frozen=True)
class Task:
    """One utterance to prepare, as the manifest has it, and the features that it lacks. Of one
    that is in no manifest, hash and seconds are not known: "" and 0."""

    id: str
    path: str
    audio_hash: str
    specs: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Prepared:
    """What became of a task."""

    task: Task
    arrays: dict[str, Array] = field(default_factory=dict)
    """What `Backbone.forward` takes, by spec."""
    bad: dict[str, Fault] = field(default_factory=dict)
    """Why there is none, by spec."""
    bad_file: Fault | None = None
    """Why the file cannot be used for any feature."""


def prepare(root: Root, backbones: Mapping[str, Backbone], task: Task) -> Prepared:
    """Prepare one utterance; what is wrong with the file is in the result, else raised as SerError.

    In one thread, here as in every worker: how many there are decides in what order a library
    adds, and so the last bits.
    """
    with one_thread():
        try:
            with audio_file(root, task.path) as file:
                samples = load_utterance(file, task.audio_hash)
        except BaseException as error:
            return Prepared(task, bad_file=fault_of(error, task.seconds))
        prepared, heard = Prepared(task), {"": samples}
        for spec in task.specs:
            try:
                backbone = backbones[spec]
                if backbone.perturb not in heard:
                    heard[backbone.perturb] = perturbed(samples, backbone.perturb)
                # A copy: what one front end does to its samples is nothing to the next.
                prepared.arrays[spec] = _plain(backbone.prepare(heard[backbone.perturb].copy()))
            except BaseException as error:
                prepared.bad[spec] = fault_of(error, task.seconds)
    return prepared


def _plain(array: object) -> Array:
    """An array that can go to another process; raises TypeError for anything else."""
    if not isinstance(array, np.ndarray) or array.dtype.hasobject or not array.ndim:
        raise TypeError(f"prepare returned {type(array).__name__}, expected an array of floats")
    return np.asarray(array)
