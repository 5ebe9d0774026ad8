"""Unpacking a .tar.gz of a stranger: regular files of plain names, and nothing else."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import SerError
from .plain_names import file_identity, is_plain_name

MOST_FILES = 20_000
MOST_DEPTH = 8
_MOST_READ = 1 << 16
"""Bytes that are read at a time; a header that asks for more is no header."""


class BadArchiveError(SerError):
    """An archive that is damaged or wants what none needs; the message is the reason."""


def unpack(archive: Path, folder: Path, most: int, wanted: Sequence[str] = ("*",)) -> None:
    """Unpack the files of an archive that holds one folder, without that folder's name.

    Everything is read before anything counts: one odd member, and the archive is refused. Hidden
    files, and files that are not wanted, are passed over.

    Args:
        archive: the .tar.gz.
        folder: an empty folder, which the files are written to.
        most: bytes that they may have in all.
        wanted: patterns of names, with "/"; `*` stands for any text, and what has none must be
            there.

    Raises:
        BadArchiveError: damaged, too much in it, or members that are links, devices, sparse,
            twice there, or named otherwise than files of a folder can be everywhere.
        OSError: the folder cannot be written to.
    """
    names = _plan(archive, most)
    top = {parts[0] for parts in names.values() if parts}
    strip = len(top) == 1 and all(len(parts) > 1 for parts in names.values() if parts)
    written = 0
    for number, member, tar in _members(archive, most):
        parts = names[number][1:] if strip else names[number]
        if not parts or not any(fnmatchcase("/".join(parts), pattern) for pattern in wanted):
            continue
        _write(tar, member, folder.joinpath(*parts))
        written += 1
    needed = [name for name in wanted if "*" not in name]
    lacking = [name for name in needed if not folder.joinpath(*name.split("/")).is_file()]
    if lacking or not written:
        raise BadArchiveError(f"{', '.join(lacking) or 'all that is needed'} is not in it")


def _plan(archive: Path, most: int) -> dict[int, tuple[str, ...]]:
    """The names of an archive's files by their number in it; hidden ones have none."""
    names: dict[int, tuple[str, ...]] = {}
    files: set[str] = set()
    folders: set[str] = set()
    size = 0
    for number, member, _ in _members(archive, most):
        parts = _parts(member.name)
        size += member.size
        if size > most:
            raise BadArchiveError(f"it would unpack to more than {most} bytes")
        identities = [file_identity("/".join(parts[:depth])) for depth in range(1, len(parts) + 1)]
        if identities[-1] in files | folders or not files.isdisjoint(identities):
            raise BadArchiveError(f"{member.name[:200]!r} is there twice, for some systems")
        files.add(identities[-1])
        folders.update(identities[:-1])
        names[number] = () if any(part.startswith(".") for part in parts) else parts
    return names


def _parts(name: str) -> tuple[str, ...]:
    parts = tuple(name.removeprefix("./").split("/"))
    if len(parts) > MOST_DEPTH or not all(map(is_plain_name, parts)):
        raise BadArchiveError(f"{name[:200]!r} is no name for a file of a folder")
    return parts


def _members(archive: Path, most: int) -> Iterator[tuple[int, tarfile.TarInfo, tarfile.TarFile]]:
    """The regular files of an archive, in its order; any other kind is refused."""
    try:
        with gzip.open(archive, "rb") as unpacked:
            limited: Any = _Limited(unpacked, most)
            tar = tarfile.open(fileobj=limited, mode="r:")  # noqa: SIM115 - closes nothing
            for number, member in enumerate(tar):
                if number >= MOST_FILES:
                    raise BadArchiveError(f"it has more than {MOST_FILES} files")
                if member.isdir():
                    continue
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
                    raise BadArchiveError(
                        f"{member.name[:200]!r} is no regular file: links, devices and the like "
                        "are not unpacked"
                    )
                yield number, member, tar
            limited.seek(tar.offset)  # where tarfile found no header, and stopped without a word
            if limited.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise BadArchiveError(f"a damaged header at byte {tar.offset}")
    except BadArchiveError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise BadArchiveError(f"{type(error).__name__}: {error}") from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one file, new, as any other file of this user."""
    content = tar.extractfile(member)
    assert content is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with path.open("xb") as file:
        while left:
            chunk = content.read(min(left, _MOST_READ))
            if not chunk:
                raise BadArchiveError(f"{member.name[:200]!r} is cut off")
            file.write(chunk)
            left -= len(chunk)


class _Limited:
    """What `tarfile` reads from: in small pieces, and no further than it may."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, most: int) -> None:
        self._file = file
        # Headers and padding come on top of what is in the files.
        self._most = most + MOST_FILES * 3 * tarfile.BLOCKSIZE

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _MOST_READ:
            raise BadArchiveError(f"a header of {count} bytes")
        self._check(self.tell() + count)
        return self._file.read(count)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise BadArchiveError("a header that leads elsewhere")
        self._check(position)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self, position: int) -> None:
        if not 0 <= position <= self._most:
            raise BadArchiveError(f"it would unpack to more than {self._most} bytes")
