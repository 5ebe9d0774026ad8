"""Prepared utterances gather, are sorted by length and go to the model in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .backbones.backbone import Array, Backbone
from .prepare import Task

if TYPE_CHECKING:
    from .models import Item, Models

POOL = 4
"""Batches that gather before they are sorted by length: with more, lengths differ less."""


class Batcher:
    """The way of one backbone's utterances from `prepare` to its model.

    At most `POOL` batches gather in memory, and only where calls are shared.
    """

    def __init__(self, backbone: Backbone, models: Models) -> None:
        """Make the way.

        Args:
            backbone: loaded, with a model.
            models: where `forward` runs.
        """
        self._backbone = backbone
        self._models = models
        self._most = POOL * backbone.batch_rows if models.share_calls(backbone) else 0
        self._gathered: list[Item] = []
        self._rows = 0

    def add(self, task: Task, prepared: Array) -> None:
        """Take one utterance; what was finished meanwhile may be handed over."""
        self._gathered.append((task, prepared))
        self._rows += len(prepared)
        if self._rows >= self._most:
            self.finish()

    def finish(self) -> None:
        """Send on what has gathered."""
        gathered, self._gathered, self._rows = self._gathered, [], 0
        arrays = [array for _, array in gathered]
        for batch in similar_lengths(arrays, self._backbone.batch_rows):
            self._models.run(self._backbone, [gathered[i] for i in batch])


def similar_lengths(prepared: Sequence[Array], rows: int) -> Iterator[list[int]]:
    """Sort utterances by length and cut them into batches; the longest come first.

    So memory is claimed at its most at once, and not ever more by each batch.

    Args:
        prepared: one array for each utterance.
        rows: that a batch has at most, padding to its longest utterance included; a single
            utterance may have more.

    Yields:
        Indices into `prepared`.
    """
    order = sorted(range(len(prepared)), key=lambda i: -len(prepared[i]))
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * len(prepared[batch[0]]) > rows:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def equal_lengths(batch: Sequence[Array]) -> Iterator[list[int]]:
    """Group the utterances of a batch that are equally long.

    For models that padding would disturb: those with a norm over time, for one.

    Yields:
        Indices into `batch`; every array of a group has the same length.
    """
    groups: dict[int, list[int]] = {}
    for index, array in enumerate(batch):
        groups.setdefault(len(array), []).append(index)
    yield from groups.values()
