"""A cache in a folder that is not opened as one: a group drive, a disk that travels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from ...errors import SerError
from ...files import atomic_path, open_regular, read_regular
from ..access import GONE, check_own, read_error, write_error
from ..folders import entries, feature_folders, may_be_file, remove_leftovers, size_of
from .place import SMALL, Moved, Place, check_whole

PIECE = 4 << 20
"""Bytes that are copied at once."""


class FolderPlace(Place):
    """The cache in a folder, read and written as files; below it no link is followed.

    Args:
        folder: need not exist.
        shared: folders below it, as those of a `Cache`: what it lacks is looked for in them.
    """

    def __init__(self, folder: Path, *shared: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder
        self._folders = (folder, *shared)

    def names(self) -> Mapping[str, int | None]:
        names: dict[str, int | None] = {}
        for folder in reversed(self._folders):
            for place in (*feature_folders(folder), folder / "manifests"):
                inside = place.relative_to(folder).as_posix()
                paths = filter(may_be_file, entries(place, folder))
                names |= {f"{inside}/{path.name}": size_of(path) for path in paths}
        return names

    def path(self, name: str) -> Path:
        """Where a file lies, or would."""
        paths = [folder / name for folder in self._folders]
        return next(filter(os.path.lexists, paths), paths[0])

    def read(self, name: str) -> bytes | None:
        path = self.path(name)
        try:
            return read_regular(path, SMALL, self._above(path))
        except OSError as error:
            if error.errno in GONE and not path.is_symlink():
                return None
            raise read_error(path, error) from error

    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        source = self.path(name)
        have = file.stat().st_size if file.exists() else 0
        try:
            reader = open_regular(source, self._above(source))
        except OSError as error:
            raise read_error(source, error) from error
        with reader:
            reader.seek(have)
            most = size if size is None else max(0, size - have)
            append(file, pieces_of(reader, source, most), moved)
        check_whole(self.shown, name, file, size)

    def write(self, name: str, data: bytes) -> None:
        self._put(name, [data])

    def send(self, file: Path, name: str, moved: Moved) -> None:
        with file.open("rb") as reader:
            self._put(name, told(pieces_of(reader, file), moved))

    def tidy(self) -> None:
        remove_leftovers(self.folder)

    def part(self, name: str, start: int, stop: int) -> bytes:
        path = self.path(name)
        try:
            with open_regular(path, self._above(path)) as file:
                file.seek(start)
                return file.read(stop - start)
        except OSError as error:
            raise read_error(path, error) from error

    def _above(self, path: Path) -> Path:
        return next(folder for folder in self._folders if path.is_relative_to(folder))

    def _put(self, name: str, pieces: Iterator[bytes] | list[bytes]) -> None:
        target = self.folder / name
        check_own(target.parent, self.folder)
        try:
            with atomic_path(target) as partial:
                sent = hashlib.sha256()
                with partial.open("xb") as file:
                    for piece in pieces:
                        sent.update(piece)
                        file.write(piece)
                with partial.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").digest() != sent.digest():
                        raise SerError(f"{target}: other bytes arrived than were sent")
        except OSError as error:
            raise write_error(self.folder, error) from error


def append(file: Path, pieces: Iterable[bytes], moved: Moved) -> None:
    """Put bytes behind those of a file, which is made where it is not there, as they come.

    Raises:
        SerError: the disk is full, or the folder cannot be written.
    """
    try:
        writer = file.open("ab")
    except OSError as error:
        raise write_error(file.parent, error) from error
    with writer:
        for piece in pieces:
            try:
                writer.write(piece)
                writer.flush()
            except OSError as error:
                raise write_error(file.parent, error) from error
            moved(len(piece))


def pieces_of(
    reader: IO[bytes], path: Path, most: int | None = None, size: int = PIECE
) -> Iterator[bytes]:
    """What a file has from where it is read, `most` bytes of it, in pieces of `size`.

    Raises:
        SerError: it cannot be read.
    """
    left = most
    while left is None or left > 0:
        try:
            piece = reader.read(size if left is None else min(size, left))
        except OSError as error:
            raise read_error(path, error) from error
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece


def told(pieces: Iterator[bytes], moved: Moved) -> Iterator[bytes]:
    """Pieces, each told of when the next one is asked for."""
    for piece in pieces:
        yield piece
        moved(len(piece))
