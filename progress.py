"""Progress on stderr: a line that is rewritten on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
import shutil
import sys
import time
from contextlib import suppress
from typing import Self

from .terminal import message, plain

EVERY_SECONDS = {True: 0.1, False: 10.0}
"""How often to show it, on a terminal and elsewhere."""


class Progress:
    """Show `text` at most every so often; a context manager that clears the line at its end."""

    def __init__(self) -> None:
        # Without a console, or with stderr closed, there is none.
        self._stream = sys.stderr or io.StringIO()
        self._terminal = self._stream.isatty()
        self._shown = time.monotonic() if not self._terminal else 0.0
        self._open = False
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Since the start, never 0."""
        return max(time.monotonic() - self.started, 1e-3)

    def left(self, done: float, total: float) -> str:
        """How long it will take yet, at the rate so far: `, 3 min left`; empty at first."""
        if self.seconds < 1 or not 0 < done <= total:
            return ""
        seconds = self.seconds * (total - done) / done
        for size, unit in ((3600, "h"), (60, "min")):
            if seconds >= 1.5 * size:
                return f", {seconds / size:.1f} {unit} left"
        return f", {seconds:.0f} s left"

    def show(self, text: str) -> None:
        """Replace what is shown."""
        now = time.monotonic()
        if now - self._shown < EVERY_SECONDS[self._terminal]:
            return
        self._shown = now
        self._open = self._terminal
        text = plain(text)
        if self._terminal:
            text = text[: shutil.get_terminal_size().columns - 1]  # a longer one would scroll
        self._write(f"\r{text}\033[K" if self._terminal else f"{text}\n")

    def say(self, text: str) -> None:
        """A line of its own that stays."""
        self.close()
        self._write(f"{message(text)}\n")

    def close(self) -> None:
        """Clear a line that is being rewritten."""
        if self._open:
            self._write("\r\033[K")
            self._open = False

    def _write(self, text: str) -> None:
        # A log on a full disk, or a reader that went away, ends no run.
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
