"""Paths as a manifest stores them: relative, with '/', and always valid text.

Unpacking an archive can leave file names whose bytes are no UTF-8 (`Col\\x8are` for `Colère`).
Such bytes, and control characters, are stored as `%8A`; a '%' that would look like that, as `%25`.
All other names are stored as they are.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PurePath

from ..errors import InputError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".aiff", ".aif"})
"""Suffixes that the scanners take, in lower case."""

_ENCODE = re.compile("%(?=[0-9A-Fa-f]{2})|[\x01-\x1f\x7f\udc80-\udcff]")
_LEAVES = re.compile(r"^[\\/]|^[A-Za-z]:|(?:^|[\\/])\.\.(?:[\\/]|$)|\0")
_DECODE = re.compile(r"%(25|7F|[01][0-9A-F]|[89A-F][0-9A-F])")


def stored_path(relative: str) -> str:
    """Write a relative path, with '/' between folders, in the manifest's form."""
    stored = _ENCODE.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", relative)
    try:
        stored.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"the file name {stored!r} is not valid text; rename the file") from None
    return stored


def restored_path(stored: str) -> str:
    """Give the path that `stored_path` was given, with '/' between folders."""

    def character(found: re.Match[str]) -> str:
        code = int(found[1], 16)
        # Python keeps an undecodable byte b as the character U+DC00 + b (surrogateescape).
        return chr(0xDC00 + code) if code >= 0x80 else chr(code) if code else found[0]

    return _DECODE.sub(character, stored)


def audio_path(root: Path, stored: str) -> Path:
    """Find the file of a manifest's `path` under `root`.

    Accents may be composed on one file system and decomposed on another, and some systems write
    undecodable bytes as `%8A` themselves: the first form that exists is taken. If none does, the
    path as stored is returned, for the caller to report.
    """
    restored = restored_path(stored)
    forms = [restored, *(unicodedata.normalize(form, restored) for form in ("NFC", "NFD")), stored]
    return next((root / form for form in forms if exists(root / form)), root / restored)


def exists(path: Path) -> bool:
    """Whether there is such a file; unlike `Path.exists`, it never raises."""
    return os.path.exists(path)  # noqa: PTH110


def is_inside(stored: str) -> bool:
    """Whether a stored path is relative and stays below the root, on every system."""
    return stored not in ("", ".") and not _LEAVES.search(stored)


def audio_files(root: Path, depth: int, folder: str = "") -> list[str]:
    """List audio files at most `depth` levels below a folder of `root`, relative to `root`, sorted.

    Hidden files (`._x.wav`, which macOS leaves beside `x.wav`) and `__MACOSX` are not looked at.

    Raises:
        InputError: a folder cannot be read.
    """
    here = root / folder
    try:
        with os.scandir(here) as children:
            ordered = sorted(children, key=lambda child: child.name)
    except OSError as error:
        raise InputError(f"cannot read the folder {printable(here)}: {error.strerror}") from error
    found: list[str] = []
    for child in ordered:
        if child.name.startswith(".") or child.name == "__MACOSX":
            continue
        if child.is_dir():
            if depth > 1:
                found += audio_files(root, depth - 1, f"{folder}{child.name}/")
        elif os.path.splitext(child.name)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
            found.append(folder + child.name)
    return found


def printable(path: PurePath) -> str:
    """Write any path so that it can be printed, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def describe(folder: Path, limit: int = 5) -> str:
    """Say in a few words what a folder holds, for messages about a wrong root."""
    names = sorted(printable(PurePath(child.name)) for child in folder.iterdir())
    if not names:
        return "nothing: the folder is empty"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
