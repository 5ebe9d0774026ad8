"""Text for a terminal: nothing in it can move the cursor, hide words or fill the screen."""

from __future__ import annotations

import re
import unicodedata

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
    return "\n".join(map(_cut, plain(text).split("\n")))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if unicodedata.category(character) not in _HIDDEN and character != "\xa0":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no text, as Python keeps it
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cut(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2
    return f"{line[:half]} [... {len(line) - 2 * half} characters ...] {line[-half:]}"
