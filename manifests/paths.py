"""Paths as a manifest stores them: relative, with '/', and always valid text.

Unpacking an archive can leave file names whose bytes are no UTF-8 (`Col\\x8are` for `Colère`).
Such bytes, and control characters, are stored as `%8A`; a '%' that would look like that, as `%25`.
All other names are stored as they are.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Set
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ..errors import InputError, listing

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".aiff", ".aif"})
"""Suffixes that the scanners take, in lower case."""

DEEPEST = 8
"""Levels that are looked at below a folder which may be any."""

_ENCODE = re.compile("%(?=[0-9A-Fa-f]{2})|[\x01-\x1f\x7f\udc80-\udcff]")
_LEAVES = re.compile(r"^[\\/]|^[A-Za-z]:|(?:^|[\\/])\.\.(?:[\\/]|$)|\0")
_DECODE = re.compile(r"%(25|7F|[01][0-9A-F]|[89A-F][0-9A-F])")


def stored_path(relative: str) -> str:
    """Write a relative path, with '/' between folders, in the manifest's form."""
    stored = _ENCODE.sub(lambda match: f"%{ord(match[0]) & 0xFF:02X}", relative)
    try:
        stored.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"the file name {stored!r} is not valid text; rename the file") from None
    return stored


def restored_path(stored: str) -> str:
    """Give the path that `stored_path` was given, with '/' between folders."""

    def character(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        # Python keeps an undecodable byte b as the character U+DC00 + b (surrogateescape).
        return chr(0xDC00 + code) if code >= 0x80 else chr(code) if code else match[0]

    return _DECODE.sub(character, stored)


def forms_of(stored: str) -> list[str]:
    """Under which names the file of a manifest's `path` may lie elsewhere, the likeliest first.

    Accents may be composed on one file system and decomposed on another, and some systems write
    undecodable bytes as `%8A` themselves.
    """
    restored = restored_path(stored)
    composed, decomposed = (unicodedata.normalize(form, restored) for form in ("NFC", "NFD"))
    return list(dict.fromkeys((restored, composed, decomposed, stored)))


def audio_path(root: Path, stored: str) -> Path:
    """Find the file of a manifest's `path` under `root`.

    The first of `forms_of` that exists is taken; folders and files may also be each in a form of
    their own. If there is none, the path as stored is returned, for the caller to report.
    """
    for form in forms_of(stored):
        if exists(root / form):
            return root / form
    restored = restored_path(stored)
    return (None if restored.isascii() else _in_other_form(root, restored)) or root / restored


def _in_other_form(root: Path, restored: str) -> Path | None:
    """Find a file by the names of its folders and its own, each in any Unicode form."""
    here = root
    with suppress(OSError, ValueError, KeyError):
        for part in PurePosixPath(restored).parts:
            if not exists(here / part):
                names = _by_composed_name(here, here.stat().st_mtime_ns)
                part = names[unicodedata.normalize("NFC", part)]
            here /= part
        return here
    return None


@lru_cache(maxsize=8)
def _by_composed_name(folder: Path, changed: int) -> dict[str, str]:
    """The names in a folder by their composed form; read once for as long as it looks the same."""
    names = sorted(os.listdir(folder), reverse=True)  # noqa: PTH208 - names are wanted, as text
    return {unicodedata.normalize("NFC", name): name for name in names}


def composed_path(root: Path, relative: str) -> str:
    """The composed form (NFC) of a path below `root`, by which its file is found too.

    The same on all systems, whichever form a list has or a file system gives. Where there are two
    files whose names differ in form alone, each keeps its own.
    """
    composed = unicodedata.normalize("NFC", relative)
    if composed == relative or not exists(root / relative):
        return composed
    with suppress(OSError):
        if audio_path(root, stored_path(composed)).samefile(root / relative):
            return composed
    return relative


def exists(path: Path) -> bool:
    """Whether there is such a file; unlike `Path.exists`, it never raises."""
    return os.path.exists(path)  # noqa: PTH110


def is_inside(stored: str) -> bool:
    """Whether a stored path is relative and stays below the root, on every system."""
    return stored not in ("", ".") and not _LEAVES.search(stored)


def audio_files(root: Path, depth: int, suffixes: Set[str] = AUDIO_SUFFIXES) -> list[str]:
    """List audio files at most `depth` levels below `root`, relative to `root`, sorted.

    Files are taken by their suffixes, in lower case.

    Hidden files (`._x.wav`, which macOS leaves beside `x.wav`) and `__MACOSX` are not looked at.
    Links are followed where they lead to something that was not seen yet, so that neither a loop
    nor a link beside what it leads to gives anything twice.

    Raises:
        InputError: a folder cannot be read.
    """
    files: list[str] = []
    links: list[str] = []
    seen: set[str] = set()

    def walk(folder: str) -> None:
        real = os.path.realpath(root / folder)
        if real in seen or folder.count("/") >= depth:
            return
        seen.add(real)
        for child in _children(root / folder):
            name = folder + child.name
            if child.is_symlink():
                links.append(name)
            elif child.is_dir(follow_symlinks=False):
                walk(f"{name}/")
            elif suffix_of(name) in suffixes:
                files.append(name)
                seen.add(os.path.join(real, child.name))  # noqa: PTH118 - compared as text

    walk("")
    # What really lies there went first, so that it is known by its own name.
    for name in links:
        real = os.path.realpath(root / name)
        if os.path.isdir(real):  # noqa: PTH112 - unlike Path.is_dir, it never raises
            walk(f"{name}/")
        elif suffix_of(name) in suffixes and real not in seen:
            files.append(name)
            seen.add(real)
    return sorted(files)


def is_audio(path: str) -> bool:
    """Whether a file has a suffix that the scanners take."""
    return suffix_of(path) in AUDIO_SUFFIXES


def suffix_of(name: str) -> str:
    """The suffix of a file, in lower case: `.wav`."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _children(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name, without what is hidden."""
    try:
        with os.scandir(folder) as children:
            listed = sorted(children, key=lambda child: child.name)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    return [child for child in listed if child.name[0] != "." and child.name != "__MACOSX"]


def content(folder: Path) -> str:
    """Say in a few words what a folder holds, for messages about a wrong root."""
    names = sorted(child.name for child in folder.iterdir())
    return listing(names) or "nothing: the folder is empty"
