"""Opening and writing the files of a cache, which anybody may lay down and anybody may remove."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import SerError
from ..files import atomic_write, partial_beside, sync_folder

GONE = {errno.ENOENT, getattr(errno, "ESTALE", errno.ENOENT)}
"""What the system says of a file that another process removed; ESTALE on network drives."""


class GoneError(SerError):
    """A file of a cache that was there when its folder was listed, and is not any more."""


class ShortError(SerError):
    """There is too little memory: nothing is wrong with the cache."""


def read_error(path: Path, error: OSError) -> SerError:
    """The error for a file of a cache that could not be opened or read."""
    if error.errno in GONE and not path.is_symlink():
        return GoneError(
            f"{path}: another process removed it meanwhile. Run the same command again"
        )
    return SerError(f"{path}: cannot be read ({error.strerror})")


def check_own(folder: Path, cache: Path) -> None:
    """Refuse a folder of a cache that is reached through a link, or lies where it should not.

    The folder of the whole cache may be a link. Below it nothing is: what is written or removed
    there would be written or removed elsewhere.

    Args:
        folder: below `cache`; need not exist.

    Raises:
        SerError: it is reached through a link.
    """
    if not is_own(folder, cache):
        raise SerError(
            f"{folder}: is reached through a link, and a cache has none in it. Put what it leads "
            f"to in its place, or make {cache} as a whole the link"
        )


def is_own(folder: Path, cache: Path) -> bool:
    """Whether a folder of a cache is reached without links; see `check_own`."""
    inner = folder.relative_to(cache)
    expected = Path(os.path.realpath(cache)) / inner
    return Path(os.path.realpath(folder)) == expected


def check_writable(folder: Path) -> None:
    """Create `folder` if need be, to outlast a power cut, and prove that it can be written to.

    Raises:
        SerError: they cannot.
    """
    probe = partial_beside(folder / "probe")
    try:
        # Not an empty file: some full disks still give those.
        atomic_write(probe, lambda partial: partial.write_bytes(b"ser"))
        # A process that was killed may have made folders, up to the cache, and forced none of them.
        for above in list(folder.parents)[:3]:
            with suppress(OSError):  # one may not list it, or it is on a disk that has no such call
                sync_folder(above)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def write_error(folder: Path, error: OSError) -> SerError:
    """One message for whatever the system said when a file could not be written."""
    if error.errno == errno.EFBIG:
        return SerError(
            f"{folder}: a file would be larger than this process may write (ulimit -f, or more "
            "than the disk's file system can hold). What was finished before is safe: raise the "
            "limit, or choose another cache with --cache, and run the same command again."
        )
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return SerError(
            f"{folder}: no space left on the disk. What was finished before is safe: make room, "
            "or choose another cache with --cache, and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SerError(
            f"{folder}: the cache is read-only for you. Ask for write access, or name a folder of "
            "your own before it, --cache OWN --cache THIS: what this one holds is read from here, "
            "and what is missing is written there."
        )
    return SerError(
        f"{folder}: cannot be written ({error.strerror or error}). "
        "Choose a cache folder with --cache or SER_CACHE."
    )


@contextmanager
def enough_memory(doing: str) -> Iterator[None]:
    """Make one error of a want of memory.

    Raises:
        ShortError: in place of it.
    """
    try:
        yield
    except (MemoryError, ImportError, RuntimeError) as error:
        said = ("failed to map segment", "can't start new thread")
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in said):
            raise
        raise ShortError(
            f"{doing}: not enough memory. Close other programs, or raise the limit that this one "
            "runs under (ulimit -v, or that of the cluster's job)"
        ) from error
