"""Files that one process at a time can hold, and that no killed process holds on to."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a file, made for that and removed at the end; yields False where another holds it.

    On a file system without locks everybody is told that they hold it.

    Raises:
        OSError: the file cannot be made.
    """
    flags = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"))
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
        except PermissionError as refused:  # left by another user, or none can be made here
            try:
                descriptor = os.open(path, os.O_RDONLY | flags)
            except FileNotFoundError:
                raise refused from None
        free = _lock(descriptor)
        with suppress(FileNotFoundError):
            if not free or os.path.samestat(path.stat(), os.fstat(descriptor)):
                break
        os.close(descriptor)  # another held it, and removed it after it was opened here
    try:
        yield free
    finally:
        if os.name == "nt":  # where no file is removed that is open
            os.close(descriptor)
        if free:
            with suppress(OSError):
                path.unlink()
        if os.name != "nt":
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Try to lock a file; False if another process has."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
