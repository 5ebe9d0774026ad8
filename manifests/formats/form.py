"""What a format of others is: how its tables are read, and where their audio lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ..tables import Table

Options = Mapping[str, str]


@dataclass(frozen=True)
class Format:
    """A form in which others keep a corpus: a database, lists of files.

    One of these of one's own is known by name after `FORMATS.add`, or by an entry point of the
    group `ser.formats` in a package of one's own.

    Attributes:
        title: what it is, in a few words.
        read: makes the table of the place that a user names, given the root of the audio and the
            options. Paths are as they are written there.
        home: where the audio of such a place is unless told; None: the user has to say.
        options: that `read` takes.
        unpacks: whether `read` writes audio into the root.
    """

    title: str
    read: Callable[[str, Path, Options], Table]
    home: Callable[[str], Path | None]
    options: tuple[str, ...] = ()
    unpacks: bool = False


def folder_of(place: str) -> Path:
    """A place that is a folder, or that of a file; InputError where it is neither."""
    path = Path(place).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        return path.parent
    raise InputError(f"no such file or folder: {place}")
