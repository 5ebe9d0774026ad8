"""What happens to one utterance: decoded once, then the front end of every backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AudioError, SerError
from ..manifests import audio_path
from .audio import load_utterance
from .backbone import Array, Backbone
from .registry import make_backbone


@dataclass(frozen=True)
class Task:
    """One utterance to prepare."""

    id: str
    path: str
    """As in the manifest."""
    audio_hash: str
    specs: tuple[str, ...]
    """The features that it lacks."""


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


class Preparer:
    """The front ends of some features, ready for one utterance after the other."""

    def __init__(self, root: Path, specs: Sequence[str]) -> None:
        self.root = root
        self.backbones: Mapping[str, Backbone] = {spec: make_backbone(spec) for spec in specs}

    def __call__(self, task: Task) -> Prepared:
        """Prepare one utterance; what is wrong with the file is in the result.

        Raises:
            SerError: what is wrong is not the file, such as a package that is not installed.
        """
        try:
            samples = load_utterance(audio_path(self.root, task.path), task.audio_hash)
        except Exception as error:
            return Prepared(task, bad_file=_reason(error))
        prepared = Prepared(task)
        for spec in task.specs:
            try:
                prepared.arrays[spec] = self.backbones[spec].prepare(samples)
            except Exception as error:
                prepared.bad[spec] = _reason(error)
        return prepared


def _reason(error: Exception) -> str:
    """Why a file is bad; what is not the file's fault is raised again.

    A library that fails on one odd file in an unforeseen way must not end a run of hours, so
    that file is listed as bad too, with what the library said.
    """
    if isinstance(error, AudioError):
        return str(error)
    if isinstance(error, SerError | MemoryError):
        raise error
    return f"{type(error).__name__}: {error}"
