"""Files that a reader sees whole or not at all, and the reading of files that strangers made."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from .machine import is_running, machine_id

PARTIAL = ".partial-"
"""Prefix of files being written; no reader looks at them."""
_MAKER = re.compile(re.escape(PARTIAL) + "([0-9a-f]{12})([0-9a-f]{8})[0-9a-f]{12}-")
STALE_SECONDS = 24 * 3600
"""No file takes so long to write."""
TRIES = 100
"""How often a folder is made anew that other processes remove; the second time is nearly always
enough."""


def folder_or_url(where: Path | str) -> Path | str:
    """The path of a folder, also where a file:// URL names it; any other URL as it is."""
    text = str(where)
    scheme, separator, rest = text.partition("://")
    if isinstance(where, Path) or not separator or len(scheme) < 2:  # a drive has one letter
        return Path(where)
    if scheme.lower() == "file":
        from urllib.request import url2pathname  # late: it brings all of http

        return Path(url2pathname(rest.removeprefix("localhost")))
    return text


def path_text(path: Path) -> str:
    """A path as text that can be written, whatever its bytes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def open_regular(path: Path, below: Path | None = None) -> BufferedReader:
    """Open a file that may come from a stranger, to read its bytes.

    A named pipe or a device is refused, not waited for.

    Args:
        below: a folder that the file must lie in, wherever links lead.

    Raises:
        OSError: it cannot be opened, is no regular file, or lies elsewhere; `strerror` says which.
    """
    # Not Path.resolve, which raises a RuntimeError for a link to itself.
    real = Path(os.path.realpath(path))
    if below is not None and not real.is_relative_to(os.path.realpath(below)):
        raise OSError(errno.EINVAL, f"it is a link that leads out of {below}", str(path))
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK"))
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int, below: Path | None = None) -> bytes:
    """All bytes of a file that may come from a stranger, see `open_regular`.

    Args:
        most: bytes; a longer file is refused.

    Raises:
        OSError: as `open_regular`, or it is longer.
    """
    with open_regular(path, below) as file:
        # As much memory is taken as is asked for. What grows meanwhile is read as it is then.
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > most else file.read(size + 1)
        if len(data) > size:
            data += file.read(most)
    if max(size, len(data)) > most:
        raise OSError(errno.EINVAL, f"it is longer than {most} bytes", str(path))
    return data


T = TypeVar("T")

MOST_JSON = 64 << 20
"""Bytes of a JSON file."""


def read_json(path: Path, kind: type[T], below: Path | None = None, most: int = MOST_JSON) -> T:
    """The content of a JSON file that may come from a stranger.

    Args:
        kind: what it is to be, as `msgspec` takes types; a Struct that forbids unknown fields holds
            exactly what it says.

    Raises:
        OSError: as `read_regular`.
        ValueError: it is no JSON, or no such value; the message begins with the file's name.
    """
    return parse_json(read_regular(path, most, below), kind, path.name)


def parse_json(data: bytes, kind: type[T], name: str) -> T:
    """The value of JSON, see `read_json`; a number that is not finite is none."""
    import msgspec  # late: it takes longer than all else that a command imports at its start

    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise ValueError(f"{name}: nested too deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success fsync it and rename it to `target`.

    On any exception the temporary file is removed and `target` stays as it was.
    """
    make_folder(target.parent)
    partial = partial_beside(target)
    try:
        yield partial
        share_with_group(partial)
        sync(partial)
        partial.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno and error.filename in (None, str(partial)):
            error.filename = str(target)  # the name that the user knows
        raise
    finally:
        with suppress(OSError):  # the error that brought us here matters more
            partial.unlink(missing_ok=True)


def atomic_write(target: Path, write: Callable[[Path], object]) -> None:
    """Have `write` write a temporary file that takes the place of `target`: see `atomic_path`.

    Another process may remove the folder whenever nothing is in it: then it is made anew, and
    `write` called again.
    """
    for left in reversed(range(TRIES)):
        try:
            with atomic_path(target) as partial:
                write(partial)
            return
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise


def atomic_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8, line ends as given) to `target`, whole or not at all."""
    atomic_write(target, lambda partial: partial.write_bytes(text.encode("utf-8")))


def partial_beside(target: Path) -> Path:
    """A new name beside `target`, for what is to take its place.

    It tells which process of which machine made it.
    """
    maker = f"{machine_id()}{os.getpid():08x}"
    return target.with_name(f"{PARTIAL}{maker}{uuid.uuid4().hex[:12]}-{target.name}")


def new_file(path: Path, data: bytes) -> None:
    """Make a small file that is not there, in a folder that is; of several processes one can.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be made.
    """
    file = path.open("xb")
    try:
        with file:
            file.write(data)
        share_with_group(path)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def stale_partials(folder: Path) -> list[Path]:
    """Files in a folder that writers never finished: those that ended on this machine, and any that
    began more than a day ago."""
    stale = []
    with suppress(OSError):  # whoever reads the folder says what is wrong with it
        for path in folder.glob(f"{PARTIAL}*"):
            with suppress(OSError):  # another process removed it
                age = time.time() - path.lstat().st_mtime
                if (age > STALE_SECONDS or _is_abandoned(path)) and not path.is_dir():
                    stale.append(path)
    return stale


def _is_abandoned(partial: Path) -> bool:
    """Whether the process that made a file is known to be gone; another may have its number."""
    maker = _MAKER.match(partial.name)
    return maker is not None and maker[1] == machine_id() and not is_running(int(maker[2], 16))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they outlast a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        share_with_group(folder)
    with suppress(PermissionError):  # a folder that one may pass through and not list
        sync_folder(folder.parent)


def share_with_group(path: Path) -> None:
    """Let the group use a new file or folder, where the folder that it is in is a group's.

    That is one with the setgid bit that the group may write, as `git init --shared` makes them:
    a folder gets its mode, and a file may be read and written by whoever may read and write there,
    whatever the umask of its maker. Elsewhere, and on Windows, nothing changes.
    """
    if os.name != "posix":
        return
    with suppress(OSError):  # some network drives have rights of their own, and know no modes
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        if mode & stat.S_ISGID and mode & stat.S_IWGRP:
            own = path.stat().st_mode
            shared = mode if stat.S_ISDIR(own) else own | mode & (stat.S_IRGRP | stat.S_IWGRP)
            path.chmod(stat.S_IMODE(shared))


def sync(path: Path) -> None:
    """Force a written file to the disk."""
    with path.open("rb+") as file:
        _force(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force a rename in `folder` to the disk, where the system has folders that can be opened."""
    sync_unwritten(folder)


def sync_unwritten(path: Path) -> None:
    """Force a folder to the disk, or a file that is not to be opened for writing.

    Windows forces nothing without that, and this does nothing there.
    """
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _force(descriptor)
        finally:
            os.close(descriptor)


def _force(descriptor: int) -> None:
    """Wait until all of an open file is on the disk."""
    if sys.platform == "darwin":  # where fsync leaves it in the memory of the disk
        import fcntl

        with suppress(OSError):  # a network drive, which has no such memory
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
