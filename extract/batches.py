"""Prepared utterances gather, are sorted by length and go through the model in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future

from .backbone import Array, Backbone

POOL = 4
"""Batches that gather before they are sorted by length: with more, lengths differ less."""


class Batcher:
    """The way of one backbone's utterances from `prepare` to the cache.

    At most two pools of `POOL` batches are in memory: one that gathers and one in the model.
    """

    def __init__(
        self, backbone: Backbone, store: Callable[[str, Array], None], executor: Executor
    ) -> None:
        """Make the way.

        Args:
            backbone: loaded.
            store: takes an utterance's id and feature, in the thread that calls `add`.
            executor: where `forward` runs.
        """
        self._backbone = backbone
        self._store = store
        self._executor = executor
        self._gathered: list[tuple[str, Array]] = []
        self._rows = 0
        self._running: deque[tuple[list[str], Future[list[Array]]]] = deque()

    def add(self, utterance: str, prepared: Array) -> None:
        """Take one utterance; what was finished meanwhile may be stored."""
        if not self._backbone.batch_rows:
            self._store(utterance, prepared)
            return
        while self._running and self._running[0][1].done():
            self._collect()
        self._gathered.append((utterance, prepared))
        self._rows += len(prepared)
        if self._rows >= POOL * self._backbone.batch_rows:
            self._launch()

    def finish(self) -> None:
        """Run what has gathered and store the rest."""
        if self._gathered:
            self._launch()
        while self._running:
            self._collect()

    def _launch(self) -> None:
        while len(self._running) > 1:  # one is left, so that the model need not wait
            self._collect()
        arrays = [array for _, array in self._gathered]
        for batch in similar_lengths(arrays, self._backbone.batch_rows):
            future = self._executor.submit(self._backbone.forward, [arrays[i] for i in batch])
            self._running.append(([self._gathered[i][0] for i in batch], future))
        self._gathered, self._rows = [], 0

    def _collect(self) -> None:
        """Store the oldest batch, when it is ready: an interruption costs no more than one."""
        ids, future = self._running.popleft()
        for utterance, feature in zip(ids, future.result(), strict=True):
            self._store(utterance, feature)


def run_batches(backbone: Backbone, prepared: Sequence[Array]) -> list[Array]:
    """Run a model over utterances of any lengths, in batches of similar ones.

    Args:
        backbone: loaded, with a model.
        prepared: what its `prepare` returned.

    Returns:
        Its features, in the order given.
    """
    found: dict[int, Array] = {}
    for batch in similar_lengths(prepared, backbone.batch_rows):
        found.update(zip(batch, backbone.forward([prepared[i] for i in batch]), strict=True))
    return [found[i] for i in range(len(prepared))]


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
