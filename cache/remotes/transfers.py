"""Several transfers at once, tried again where they break off, and stopped together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from .place import BrokenOffError, Moved

TRIES = 4
"""How often in a row a transfer may break off that brings nothing."""
PAUSE = 1.0
"""Seconds before the second try; doubled for each further one."""

Carry = Callable[[str, int | None, Moved], None]
"""Moves one file: its name, its bytes where known, and who is told of bytes as they move."""
Progress = Callable[[int, int, int], None]
"""Called with bytes moved, bytes in all as far as known, and files done."""


class _StopError(Exception):
    """Another transfer failed, or the user wants no more."""


def carry_all(
    files: Mapping[str, int | None], carry: Carry, at_once: int, progress: Progress | None
) -> None:
    """Move files, `at_once` at a time, and stop at the first that cannot be moved.

    Raises:
        SerError: one could not; those that were done are done.
    """
    state = _State(files, progress)
    with ThreadPoolExecutor(max(1, at_once)) as pool:
        futures = [pool.submit(_insist, carry, *item, state) for item in files.items()]
        try:
            while wait(futures, 0.2, FIRST_EXCEPTION).not_done:
                state.show()
                if any(future.done() and future.exception() for future in futures):
                    break
        finally:
            state.stop()
            for future in futures:
                future.cancel()
    errors = [future.exception() for future in futures if not future.cancelled()]
    for error in errors:
        if error is not None and not isinstance(error, _StopError):
            raise error
    state.show()


def _insist(carry: Carry, name: str, size: int | None, state: _State) -> None:
    """Move one file, trying again while each try comes further than those before."""
    failures, furthest = 0, 0
    while True:
        moved = 0

        def tell(count: int) -> None:
            nonlocal moved
            moved += count
            state.move(count)

        try:
            carry(name, size, tell)
        except BrokenOffError:
            failures = failures + 1 if moved <= furthest else 1
            furthest = max(furthest, moved)
            if failures >= TRIES:
                raise
            state.move(-moved)  # what has arrived is told anew
            state.pause(PAUSE * 2 ** (failures - 1))
        else:
            state.finish()
            return


class _State:
    """What all transfers share; told by their threads, shown by the one that waits."""

    def __init__(self, files: Mapping[str, int | None], progress: Progress | None) -> None:
        self._total = sum(size or 0 for size in files.values())
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._moved = self._done = 0

    def move(self, count: int) -> None:
        if self._stopped.is_set():
            raise _StopError
        with self._lock:
            self._moved += count

    def finish(self) -> None:
        with self._lock:
            self._done += 1

    def pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StopError

    def stop(self) -> None:
        self._stopped.set()

    def show(self) -> None:
        if self._progress is not None:
            self._progress(self._moved, max(self._total, self._moved), self._done)
