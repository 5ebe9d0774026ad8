"""From the cache to a trained recogniser: data, network, runs. Never needs audio or backbones.

The room can be called: `ser.train(...)` is `ser.train.runs.train.train`.
"""

import sys
from inspect import Signature, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runs.run import Run

TRAIN_PRESET, REPRODUCE_PRESET = "strong", "paper"
"""What `ser train` and `ser reproduce` take where nobody says."""


class _Room(ModuleType):
    """A package that is a function too: a package of one name stands where a function would."""

    def __call__(self, *arguments: Any, **named: Any) -> "Run":
        """See `ser.train.runs.train.train`."""
        from .runs.train import train

        return train(*arguments, **named)

    @property
    def __signature__(self) -> Signature:
        from .runs.train import train

        return signature(train)


sys.modules[__name__].__class__ = _Room
