"""How networks were trained: what `history.json` holds. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec


class Trained(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one network was trained.

    Attributes:
        epoch: the one that was kept, from 1.
        loss: the mean of every epoch.
        validation_ua: by corpus, of every epoch.
        structure: by corpus that is tested, what `structure` says.
    """

    seed: int
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    loss: list[float]
    validation_ua: dict[str, list[float]]
    structure: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        """Raise ValueError unless all is of the same epochs."""
        lengths = {len(self.loss), *map(len, self.validation_ua.values())}
        if len(lengths) != 1 or self.epoch > len(self.loss):
            raise ValueError("what is said of a network is not of the same epochs")


class Curves(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the networks of a repeat and fold."""

    repeat: int
    fold: int
    members: list[Trained]
