"""Prepared utterances gather until they make a batch; the model runs in the background."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

from .backbone import Array, Backbone


class Batcher:
    """The way of one backbone's utterances from `prepare` to the cache.

    At most two batches are in memory: one that gathers and one in the model.
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
        self._running: tuple[list[str], Future[list[Array]]] | None = None

    def add(self, utterance: str, prepared: Array) -> None:
        """Take one utterance; what was finished meanwhile may be stored."""
        if not self._backbone.batch_rows:
            self._store(utterance, prepared)
            return
        self._gathered.append((utterance, prepared))
        self._rows += len(prepared)
        if self._rows >= self._backbone.batch_rows:
            self._launch()

    def finish(self) -> None:
        """Run what has gathered and store the rest."""
        if self._gathered:
            self._launch()
        self._collect()

    def _launch(self) -> None:
        self._collect()
        ids = [utterance for utterance, _ in self._gathered]
        arrays = [array for _, array in self._gathered]
        self._running = ids, self._executor.submit(self._backbone.forward, arrays)
        self._gathered, self._rows = [], 0

    def _collect(self) -> None:
        if self._running is not None:
            ids, future = self._running
            self._running = None
            for utterance, feature in zip(ids, future.result(), strict=True):
                self._store(utterance, feature)
