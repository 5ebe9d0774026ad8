"""Proving that every byte of a cache is the byte that was written."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xxhash

from ..errors import SerError
from . import layout
from .access import GoneError, ShortError, check_own, enough_memory, read_error
from .folders import Problem, entries, read_key, read_manifest
from .shard import ShardIndex, corrupt, damaged, open_shard, read_index, reading

PIECE_BYTES = 8 << 20
"""Of rows that are checked at once, so that memory stays small."""


@dataclass(frozen=True)
class VerifyReport:
    """What `Cache.verify` looked at and found.

    What another process removes meanwhile is not a part of it, nor what it adds.

    Attributes:
        problems: empty when the cache is whole.
        shards, bytes: of all shards.
        utterances: in the shards that are whole.
        manifests: how many manifests there are.
    """

    problems: tuple[Problem, ...]
    shards: int
    utterances: int
    bytes: int
    manifests: int

    @property
    def whole(self) -> bool:
        """Whether no problem was found; an empty or absent cache is whole."""
        return not self.problems


def verify(folder: Path, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Check every file of the cache in `folder`: names, hashes, indices, rows, keys, manifests.

    Args:
        progress: called with the bytes done and the bytes in all.

    Raises:
        InputError: the cache is not a folder. Whatever else is wrong with it is in the report.
        SerError: there is too little memory.
    """
    entries(folder)
    looked = _Look(folder)
    shards = [
        (path, size) for place in looked.inside("features") for path, size in looked.at(place)
    ]
    total = sum(size for _, size in shards)
    done = counted = size_of_all = utterances = 0
    for path, size in shards:
        found = looked.check(path, check_shard)
        if found is not None:
            counted, size_of_all, utterances = counted + 1, size_of_all + size, utterances + found
        done += size
        if progress is not None:
            progress(done, total)
    manifests = [
        looked.check(path, lambda path: len(read_manifest(path)))
        for path in looked.inside("manifests")
        if path.suffix == ".csv"
    ]
    there = sum(found is not None for found in manifests)
    return VerifyReport(tuple(looked.problems), counted, utterances, size_of_all, there)


class _Look:
    """A look at a cache that notes what is wrong, and passes over what is gone by now."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.problems: list[Problem] = []

    def check(self, path: Path, check: Callable[[Path], int]) -> int | None:
        """What a check finds, 0 where it fails, None where there is nothing."""
        try:
            return check(path)
        except GoneError:
            return None
        except ShortError:
            raise
        except SerError as error:
            self.problems.append(Problem.of(path, error))
            return 0

    def inside(self, name: str) -> list[Path]:
        """What lies in one of the two folders of a cache."""
        return self._list(self.cache / name)

    def at(self, place: Path) -> list[tuple[Path, int]]:
        """The shards of a feature folder, and their sizes, once the folder itself is checked."""
        if not self.check(place, self._check_folder):
            return []
        self.check(place / "key.json", _check_key)
        shards = [path for path in self._list(place) if path.suffix == ".h5"]
        sizes = [(path, size_of(path)) for path in shards]
        return [(path, size) for path, size in sizes if size is not None]

    def _list(self, folder: Path) -> list[Path]:
        found: list[Path] = []

        def look(folder: Path) -> int:
            check_own(folder, self.cache)
            found.extend(entries(folder))
            return len(found)

        self.check(folder, look)
        return found

    def _check_folder(self, folder: Path) -> int:
        check_own(folder, self.cache)
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise SerError(f"{folder}: cannot be looked at ({error.strerror})") from error
        if not stat.S_ISDIR(mode) or not layout.FOLDER_NAME.fullmatch(folder.name):
            raise SerError(f"{folder}: is not a feature folder. Move it out of the cache.")
        return 1


def size_of(path: Path) -> int | None:
    """Of a file, in bytes; 0 where there is no telling, None where it is gone by now."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None
    except OSError:
        return 0


def _check_key(path: Path) -> int:
    if os.path.lexists(path):  # where only shards were copied, they carry the key
        read_key(path.parent)
    return 0


def check_shard(path: Path) -> int:
    """Check one shard, byte by byte; return how many utterances it holds.

    Raises:
        CorruptShardError: a byte is not the one that was written.
        GoneError, SerError: it cannot be opened or read, or there is too little memory.
    """
    with enough_memory(str(path)):
        return _check_shard(path)


def _check_shard(path: Path) -> int:
    index = read_index(path)
    if index is None:
        raise corrupt(path, "it was never finished, and is not used")
    # The rows' own checksums too: whoever makes a file can give it the right name.
    _check_rows(index)
    with open_shard(path) as file:
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise read_error(path, error) from error
    if not path.stem.endswith(digest[:16]):
        raise corrupt(path, "its bytes are not those that its name was made from")
    return len(index)


def _check_rows(index: ShardIndex) -> None:
    """Check rows piece by piece, however long an utterance is."""
    buffer = np.empty(PIECE_BYTES, np.uint8)
    dtype = np.dtype(index.key.dtype).newbyteorder("<")
    with reading(index) as read:
        for row, (start, end) in enumerate(pairwise(index.bounds.tolist())):
            state = xxhash.xxh3_128()
            for at in range(start, end, PIECE_BYTES):
                piece = buffer[: end - at]
                read(at, piece.data)
                if not np.isfinite(piece.view(dtype)).all():
                    raise corrupt(index.path, "it holds values that are not finite")
                state.update(piece)
            if state.digest() != index.checksums[row]:
                raise damaged(index, row)
