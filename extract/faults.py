"""Whose fault an exception is: that of one file, or of none."""

from __future__ import annotations

import errno
from typing import NamedTuple

from ..errors import AudioError, SerError

_OF_NO_FILE = {
    getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE")
}
"""What the system says where the next file would fare no better."""

_NO_MEMORY = ("out of memory", "allocate memory", "not enough memory", "bad_alloc", "alloc_failed")
"""What torch and the libraries below it say, in errors of no type of their own."""


class Fault(NamedTuple):
    """Why an utterance lacks a feature; with `again` it may yet have it, when it is tried once
    more, alone, when nothing else takes memory."""

    reason: str
    again: bool = False


def starved(seconds: float) -> Fault:
    """Memory does not suffice for an utterance of so many seconds; 0 where that is not known."""
    return Fault("not enough memory" + (f" for its {seconds:.0f} s" if seconds else ""), again=True)


def fault_of(error: BaseException, seconds: float) -> Fault:
    """What was raised over an utterance of so many seconds; raises as `fault_of_file`."""
    return starved(seconds) if out_of_memory(error) else Fault(fault_of_file(error))


def fault_of_file(error: BaseException) -> str:
    """Why a file is bad, from what was raised over it.

    A library that fails on one odd file in an unforeseen way must not end a run of hours, so
    that file is listed as bad, with what the library said. It may raise what it likes, `SystemExit`
    included.

    Raises:
        SerError: what is wrong is not the file, such as a package that is not installed.
        KeyboardInterrupt: as it came.
    """
    if isinstance(error, AudioError):
        return str(error)
    if isinstance(error, SerError | KeyboardInterrupt):
        raise error
    if isinstance(error, ModuleNotFoundError):
        raise SerError(f"a package is missing: {error}") from error
    if isinstance(error, OSError) and error.errno in _OF_NO_FILE:
        where = f"{error.filename}: " if error.filename else ""
        raise SerError(f"{where}{error.strerror}") from error
    return _told(error)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice, of the host or of a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError):  # torch's own among them
        told = _told(error).lower()
        return any(words in told for words in _NO_MEMORY)
    return isinstance(error, MemoryError)


def _told(error: BaseException) -> str:
    """Type and message; an exception whose message fails is known by its type."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        return name
    return f"{name}: {text}" if text else name
