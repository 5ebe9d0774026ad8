"""What signals do to this process, for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    """Handle signals so, and afterwards as before. Beside the main thread, where Python allows no
    handlers, nothing changes.

    Processes that are started within inherit that a signal is ignored (not on Windows).
    """
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, each) for number, each in handlers.items() if main}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
