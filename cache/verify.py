"""Proving that every byte of a cache is the byte that was written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import xxhash

from ..errors import InputError, SerError
from ..machine import cores
from . import layout
from .access import GoneError, ShortError, enough_memory, read_error
from .contents import read_key, read_manifest
from .folders import Problem, entries, size_of
from .shard import ShardIndex, corrupt, damaged, open_shard, read_index, reading

T = TypeVar("T")

PIECE_BYTES = 8 << 20
"""Of rows that are checked at once, so that memory stays small."""


@dataclass(frozen=True)
class FolderReport:
    """What `Cache.verify` looked at and found in one folder.

    What another process removes meanwhile is not a part of it, nor what it adds.

    Attributes:
        problems: empty when all is whole.
        shards, bytes: of all shards.
        utterances: in the shards that are whole.
    """

    folder: Path
    problems: tuple[Problem, ...]
    shards: int
    utterances: int
    bytes: int

    @property
    def whole(self) -> bool:
        """Whether no problem was found; an empty or absent folder is whole."""
        return not self.problems


@dataclass(frozen=True)
class VerifyReport:
    """What `Cache.verify` looked at and found, folder by folder, and in all of them."""

    folders: tuple[FolderReport, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of all folders."""
        return tuple(problem for each in self.folders for problem in each.problems)

    @property
    def shards(self) -> int:
        """How many there are."""
        return sum(each.shards for each in self.folders)

    @property
    def utterances(self) -> int:
        """How many are in the shards that are whole."""
        return sum(each.utterances for each in self.folders)

    @property
    def bytes(self) -> int:
        """Of all shards."""
        return sum(each.bytes for each in self.folders)

    @property
    def whole(self) -> bool:
        """Whether no problem was found; an empty or absent cache is whole."""
        return not self.problems


def verify(
    folders: Iterable[Path],
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    quick: bool = False,
) -> VerifyReport:
    """Check every file in the folders of a cache: see `Cache.verify`.

    Raises:
        InputError: one is not a folder, or there are no workers. Whatever else is wrong is in the
            report.
        SerError: there is too little memory.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers must be 1 or more, got {workers}")
    looks = [_Look(folder) for folder in folders]
    sizes = {path: size for look in looks for path, size in look.sizes.items()}
    how = _check_structure if quick else check_shard
    checked = _check_all(sizes, how, workers or cores(), progress)
    return VerifyReport(tuple(look.report(checked) for look in looks))


class _Look:
    """One folder of a cache: its shards, and what is wrong with what is no shard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []
        self.sizes: dict[Path, int] = {}
        """Of the shards, in bytes."""
        entries(folder, folder)
        for place in self._inside(folder / "features"):
            shards = self._check(place, lambda place: _shards_in(place, folder), None)
            if shards is not None:
                self._check(place / "key.json", _check_key, None)
                found = ((path, size_of(path)) for path in shards)
                self.sizes |= {path: size for path, size in found if size is not None}

    def report(self, checked: Mapping[Path, Future[int]]) -> FolderReport:
        """What was found, once the shards were checked."""
        counts: dict[Path, int] = {}
        for path in self.sizes:
            count = self._check(path, lambda path: checked[path].result(), 0)
            if count is not None:
                counts[path] = count
        for path in self._inside(self.folder / "manifests"):
            if path.suffix == ".csv":
                self._check(path, read_manifest, None)
        return FolderReport(
            folder=self.folder,
            problems=tuple(self.problems),
            shards=len(counts),
            utterances=sum(counts.values()),
            bytes=sum(self.sizes[path] for path in counts),
        )

    def _check(self, path: Path, how: Callable[[Path], T], failing: T) -> T | None:
        """What a check gives, or `failing` and a problem; None where there is nothing by now."""
        try:
            return how(path)
        except GoneError:
            return None
        except ShortError:
            raise
        except SerError as error:
            self.problems.append(Problem.of(path, error))
            return failing

    def _inside(self, place: Path) -> list[Path]:
        nothing: list[Path] = []
        return self._check(place, lambda place: entries(place, self.folder), nothing) or nothing


def _check_all(
    sizes: Mapping[Path, int],
    how: Callable[[Path], ShardIndex],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> dict[Path, Future[int]]:
    """How many utterances each shard holds, or what is wrong with it; several are checked at once.

    Threads, for what takes long here runs outside Python.
    """
    done, total = 0, sum(sizes.values())
    checks: dict[Path, Future[int]] = {}
    with enough_memory("checking shards"), ThreadPoolExecutor(workers) as pool:
        try:
            for path in sizes:
                checks[path] = pool.submit(lambda path: len(how(path)), path)
            paths = {check: path for path, check in checks.items()}
            for check in as_completed(paths):
                if isinstance(check.exception(), ShortError):
                    check.result()
                done += sizes[paths[check]]
                if progress is not None:
                    progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return checks


def _shards_in(place: Path, cache: Path) -> list[Path]:
    if not layout.FOLDER_NAME.fullmatch(place.name):
        raise SerError(f"{place}: is not a feature folder. Move it out of the cache.")
    return [path for path in entries(place, cache) if path.suffix == ".h5"]


def _check_key(path: Path) -> None:
    if os.path.lexists(path):  # where only shards were copied, they carry the key
        read_key(path.parent)


def _check_structure(path: Path) -> ShardIndex:
    """Check all of one shard but its rows; errors as of `check_shard`."""
    index = read_index(path)
    if index is None:
        raise corrupt(path, "it was never finished, and is not used")
    return index


def check_shard(path: Path) -> ShardIndex:
    """Check one shard, byte by byte.

    Raises:
        CorruptShardError: a byte is not the one that was written.
        GoneError, SerError: it cannot be opened or read, or there is too little memory.
    """
    with enough_memory(str(path)):
        index = _check_structure(path)
        # The rows' own checksums too: whoever makes a file can give it the right name.
        _check_rows(index)
        with open_shard(path) as file:
            try:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise read_error(path, error) from error
        if not path.stem.endswith(digest[:16]):
            raise corrupt(path, "its bytes are not those that its name was made from")
        return index


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
