"""Unfinished downloads: files of ours that a later attempt goes on with, whatever else lies there.

Their names can be foretold, so that they are found again. Whoever can write in the folder can lay
a link or a pipe there: what is no plain file of this user, under one name alone, is removed and
never written to.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import SerError
from ..files import PARTIAL, partial_beside


def own_size(path: Path) -> int:
    """Bytes of an unfinished file; 0 where there is none, or something else, which is removed.

    Raises:
        SerError: it cannot be removed.
    """
    try:
        state = path.lstat()
    except FileNotFoundError:
        return 0
    if _is_own(state):
        return state.st_size
    remove(path)
    return 0


def open_own(path: Path, have: int) -> BinaryIO:
    """Open an unfinished file to write behind its first `have` bytes; with 0, a new one.

    Raises:
        OSError: it cannot be opened, or was replaced by something else.
    """
    flags = os.O_RDWR | sum(
        getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK")
    )
    if not have:
        remove(path)
        flags |= os.O_CREAT | os.O_EXCL
    descriptor = os.open(path, flags, 0o666)
    try:
        state = os.fstat(descriptor)
        if not _is_own(state) or state.st_size < have:
            raise OSError(None, "it was replaced by another file", str(path))
        os.lseek(descriptor, have, os.SEEK_SET)
        os.ftruncate(descriptor, have)
        return os.fdopen(descriptor, "r+b")
    except BaseException:
        os.close(descriptor)
        raise


def own_folder(folder: Path) -> None:
    """Make the folder of an unfinished model, or clear it of links, pipes and the like.

    Raises:
        SerError: it is somebody else's, or cannot be cleared.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
        raise SerError(f"{folder}: is another user's; remove it, and fetch again")
    for path in list(folder.rglob("*")):
        state = path.lstat()
        if not stat.S_ISDIR(state.st_mode) and not _is_own(state):
            remove(path)


def new_folder(target: Path) -> Path:
    """A new folder beside `target`, under a name that nobody knows before."""
    folder = partial_beside(target)
    folder.mkdir(parents=True)
    return folder


def sweep(target: Path) -> None:
    """Remove what processes that were killed have left of their work on `target`."""
    left = re.compile(rf"{re.escape(PARTIAL)}[0-9a-f]{{32}}-{re.escape(target.name)}(\.json)?")
    with suppress(OSError):
        for path in list(target.parent.iterdir()):
            if left.fullmatch(path.name):
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link (not what it leads to) or a folder, if it is there.

    Raises:
        SerError: it cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SerError(f"{path}: cannot be removed ({error.strerror})") from error


def _is_own(state: os.stat_result) -> bool:
    owner = not hasattr(os, "getuid") or state.st_uid == os.getuid()
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and owner
