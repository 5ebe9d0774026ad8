"""Proving that every byte of a cache is the byte that was written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import xxhash

from ..errors import SerError
from . import layout
from .access import GoneError, ShortError, enough_memory, read_error
from .contents import read_key, read_manifest
from .folders import Problem, entries, size_of
from .shard import ShardIndex, corrupt, damaged, open_shard, read_index, reading

T = TypeVar("T")

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
    """

    problems: tuple[Problem, ...]
    shards: int
    utterances: int
    bytes: int

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
    problems: list[Problem] = []

    def check(path: Path, how: Callable[[Path], T], failing: T) -> T | None:
        """What a check gives, or `failing` and a problem; None where there is nothing by now."""
        try:
            return how(path)
        except GoneError:
            return None
        except ShortError:
            raise
        except SerError as error:
            problems.append(Problem.of(path, error))
            return failing

    def inside(place: Path) -> list[Path]:
        nothing: list[Path] = []
        return check(place, lambda place: entries(place, folder), nothing) or nothing

    entries(folder, folder)
    sizes: dict[Path, int] = {}
    for place in inside(folder / "features"):
        shards = check(place, lambda place: _shards_in(place, folder), None)
        if shards is not None:
            check(place / "key.json", _check_key, None)
            sizes |= {path: size for path in shards if (size := size_of(path)) is not None}
    counts: dict[Path, int] = {}
    done = 0
    for path, size in sizes.items():
        if (count := check(path, check_shard, 0)) is not None:
            counts[path] = count
        done += size
        if progress is not None:
            progress(done, sum(sizes.values()))
    for path in inside(folder / "manifests"):
        if path.suffix == ".csv":
            check(path, read_manifest, None)
    return VerifyReport(
        problems=tuple(problems),
        shards=len(counts),
        utterances=sum(counts.values()),
        bytes=sum(sizes[path] for path in counts),
    )


def _shards_in(place: Path, cache: Path) -> list[Path]:
    if not layout.FOLDER_NAME.fullmatch(place.name):
        raise SerError(f"{place}: is not a feature folder. Move it out of the cache.")
    return [path for path in entries(place, cache) if path.suffix == ".h5"]


def _check_key(path: Path) -> None:
    if os.path.lexists(path):  # where only shards were copied, they carry the key
        read_key(path.parent)


def check_shard(path: Path) -> int:
    """Check one shard, byte by byte; return how many utterances it holds.

    Raises:
        CorruptShardError: a byte is not the one that was written.
        GoneError, SerError: it cannot be opened or read, or there is too little memory.
    """
    with enough_memory(str(path)):
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
                state.update(piece.data)
            if state.digest() != index.checksums[row]:
                raise damaged(index, row)
