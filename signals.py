"""What signals do to this process, for a while, and what processes that it starts inherit."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, ModuleType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Handle signals so, and afterwards as before. Beside the main thread, where Python allows no
    handlers, nothing changes.

    Processes that are started within inherit that a signal is ignored (not on Windows).
    """
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, new) for number, new in handlers.items() if main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Let processes that are started within be deaf to Ctrl-C, and know no main module.

    Ctrl-C reaches every process of the terminal; the main one alone acts on it. That has to hold
    from a worker's first instruction on, or it dies in the middle of its imports with a traceback.
    The user's main module multiprocessing would run again in each of them, which a notebook has no
    file for and a script must be written for. What they need of it is sent with the work.
    """
    main = sys.modules["__main__"]
    with handled({signal.SIGINT: signal.SIG_IGN}):
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
