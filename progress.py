"""What a person sees while a command works: progress on stderr, and text that is safe to show."""

from __future__ import annotations

import io
import re
import shutil
import sys
import time
import unicodedata
from contextlib import suppress
from typing import Self

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
        width = shutil.get_terminal_size().columns - 1  # a longer one would scroll
        self._write(f"\r{text[:width]}\033[K" if self._terminal else f"{text}\n")

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


LONGEST = 1_000
"""Characters of a line of a message."""

_UNSAFE = re.compile(r"[^\n\t -~\xa1-\xac\xae-\u02ff]")
"""What is looked at more closely; the rest is what most messages consist of."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of characters that control, hide, stand for nothing or are no text."""


def plain(text: str) -> str:
    r"""Write control characters, direction marks, broken text and the like as escapes.

    Line ends and tabs stay. What is printed may come from a file's name, from a stranger's file or
    from a server.

    >>> plain("a\x1b[2Jb\u202ec\udc8a")
    'a\\x1b[2Jb\\u202ec\\x8a'
    """
    return _UNSAFE.sub(_escape, text)


def message(text: str) -> str:
    """`plain` text whose lines are cut in the middle where they are endless."""
    half = LONGEST // 2
    return "\n".join(
        f"{line[:half]} [... {len(line) - 2 * half} characters ...] {line[-half:]}"
        if len(line) > LONGEST
        else line
        for line in plain(text).split("\n")
    )


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if unicodedata.category(character) not in _HIDDEN and character != "\xa0":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no text, as Python keeps it
        code -= 0xDC00
    kind, digits = ("x", 2) if code <= 0xFF else ("u", 4) if code <= 0xFFFF else ("U", 8)
    return f"\\{kind}{code:0{digits}x}"
