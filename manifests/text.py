"""One form for the text of tables, so that what looks alike is alike.

Accents are composed or not, blanks are of twenty kinds, and characters without any width come along
when cells are copied from web pages, documents and chats.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no blanks
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point, and controls."""

_BLANKS = re.compile("[\\s\u2800]+")


def plain(text: str) -> str:
    """Compose (NFC), leave out invisible characters, make blanks of all kinds one space; strip.

    >>> plain("  Jose\\u0301\\u200b \\u3000 M. ")
    'José M.'
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    seen = _BLANKS.sub(" ", _INVISIBLE.sub("", text)).strip()
    return unicodedata.normalize("NFC", seen)


def alike(text: str) -> str:
    """What is compared instead of `text`: equal for texts that differ in case or form alone.

    Compatibility forms are one too: full-width digits, ligatures.

    >>> alike("ＡＮＮＡ ３") == alike("anna 3")
    True
    """
    if text.isascii():
        return plain(text).lower()
    # Folding can undo a composition and composing can leave a capital: twice is enough for all.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", plain(text)).casefold()
    return plain(unicodedata.normalize("NFKC", text))
