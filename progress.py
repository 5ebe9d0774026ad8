"""What a person sees while a command works: progress on stderr, and text that is safe to show."""

from __future__ import annotations

import io
import os
import re
import sys
import time
import unicodedata
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.live import Live

EVERY_SECONDS = {True: 0.1, False: 10.0}
"""How often to show it, on a terminal and elsewhere."""

BAR = 24
"""Columns of a bar; on a terminal of less than three times as many there is none."""


class Progress:
    """How far a command is: on a terminal a live view with a bar, elsewhere lines.

    A context manager that clears the view at its end.

    Args:
        quiet: nothing is shown and said, but warnings are.
    """

    def __init__(self, quiet: bool = False) -> None:
        # Without a console, or with stderr closed, there is none.
        self._stream = sys.stderr or io.StringIO()
        self._quiet = quiet
        self._terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = time.monotonic() if not self._terminal else 0.0
        self._view: Live | None = None
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
        """How long it will take yet, at the rate so far: `3 min left`; empty at first."""
        if self.seconds < 1 or not 0 < done <= total:
            return ""
        seconds = self.seconds * (total - done) / done
        for size, unit in ((3600, "h"), (60, "min")):
            if seconds >= 1.5 * size:
                return f"{seconds / size:.1f} {unit} left"
        return f"{seconds:.0f} s left"

    def show(
        self, text: str, done: float = 0, total: float = 0, details: Sequence[str] = ()
    ) -> None:
        """Replace what is shown, at most every so often.

        Args:
            done, total: how much of what, for the bar and the time left; no total: not known.
            details: what else is worth a look, a line each.
        """
        now = time.monotonic()
        if self._quiet or now - self._shown < EVERY_SECONDS[self._terminal]:
            return
        self._shown = now
        left = self.left(done, total)
        if self._terminal:
            with _ends_nothing():
                self._refresh(plain(text), done, total, left, [plain(line) for line in details])
        else:
            self._write(plain(", ".join(filter(None, [text, *details, left]))))

    def say(self, text: str) -> None:
        """A line of its own that stays."""
        if not self._quiet:
            self._say(text)

    def warn(self, text: str) -> None:
        """A warning, which is told even where all else is quiet."""
        self._say(f"warning: {text}")

    def close(self) -> None:
        """Clear the live view."""
        view, self._view = self._view, None
        if view is not None:
            with _ends_nothing():
                view.stop()

    def _say(self, text: str) -> None:
        if self._view is None:
            self._write(message(text))
            return
        from rich.text import Text

        with _ends_nothing():
            self._view.console.print(Text(message(text)), soft_wrap=True)

    def _refresh(
        self, text: str, done: float, total: float, left: str, details: Sequence[str]
    ) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if self._view is None:
            console = Console(file=self._stream, highlight=False)
            # Drawn by whoever shows something: no thread of its own.
            self._view = Live(
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._view.start()
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True, overflow="ellipsis")
        cells: list[Text | ProgressBar] = [Text(text)]
        if total and self._view.console.width >= 3 * BAR:
            cells.append(ProgressBar(total=total, completed=done, width=BAR))
        if left:
            cells.append(Text(left))
        line.add_row(*cells)
        below = [Text(f"  {each}", no_wrap=True, overflow="ellipsis") for each in details]
        self._view.update(Group(line, *below), refresh=True)

    def _write(self, text: str) -> None:
        with _ends_nothing():
            self._stream.write(f"{text}\n")
            self._stream.flush()


def _ends_nothing() -> AbstractContextManager[None]:
    """A log on a full disk, or a reader that went away, ends no run."""
    return suppress(OSError, ValueError)


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
