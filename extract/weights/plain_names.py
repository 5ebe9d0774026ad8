"""Names of files that strangers choose: those that mean one file of one folder, on any system."""

from __future__ import annotations

import unicodedata

_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{device}{number}" for device in ("COM", "LPT") for number in "0123456789¹²³"}
)
"""What Windows takes for devices, whatever the extension."""
_LONGEST = 200


def is_plain_name(name: object) -> bool:
    """Whether a name can be that of a file directly in a folder, here and elsewhere.

    >>> [is_plain_name(name) for name in ("model-1.safetensors", "../x", "a/b", "NUL.txt", "x.")]
    [True, False, False, False, False]
    """
    if not isinstance(name, str) or not name.isprintable() or _FORBIDDEN.intersection(name):
        return False
    if not 0 < len(name.encode("utf-8")) <= _LONGEST or name != name.strip(" "):
        return False
    return name[-1] != "." and name.partition(".")[0].strip(" ").upper() not in _RESERVED


def file_identity(name: str) -> str:
    """What a name has in common with all others that are the same file on some system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
