"""Proving that every byte of a cache is the byte that was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SerError
from . import layout
from .folders import entries, read_key, read_manifest
from .shard import ShardIndex, corrupt, read_index, read_rows

BATCH_BYTES = 8 << 20
"""Rows are checked in batches of about this size, so that memory stays small."""


@dataclass(frozen=True)
class Problem:
    """One damaged or foreign file: where, what is wrong, and what to do."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class VerifyReport:
    """What `Cache.verify` looked at and found.

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
        SerError: a folder cannot be listed. Whatever is wrong with a file is in the report.
    """
    problems: list[Problem] = []

    def look(path: Path, check: Callable[[Path], int]) -> int:
        try:
            return check(path)
        except SerError as error:
            problems.append(Problem(path, str(error).removeprefix(f"{path}: ")))
            return 0

    def regular(path: Path, suffix: str) -> bool:
        if path.suffix == suffix and not path.is_file():
            problems.append(Problem(path, "is not a regular file. Move it out of the cache."))
        return path.suffix == suffix and path.is_file()

    shards: list[Path] = []
    for place in entries(folder / "features"):
        look(place, _check_folder)
        if place.is_dir():
            look(place / "key.json", _check_key)
            shards += [path for path in entries(place) if regular(path, ".h5")]
    sizes = [path.stat().st_size for path in shards]
    utterances = done = 0
    for path, size in zip(shards, sizes, strict=True):
        utterances += look(path, _check_shard)
        done += size
        if progress is not None:
            progress(done, sum(sizes))
    manifests = [path for path in entries(folder / "manifests") if regular(path, ".csv")]
    for path in manifests:
        look(path, lambda path: len(read_manifest(path)))
    return VerifyReport(tuple(problems), len(shards), utterances, sum(sizes), len(manifests))


def _check_folder(folder: Path) -> int:
    if not folder.is_dir() or not layout.FOLDER_NAME.fullmatch(folder.name):
        raise SerError(f"{folder}: is not a feature folder. Move it out of the cache.")
    return 0


def _check_key(path: Path) -> int:
    if path.exists():  # where only shards were copied, they carry the key
        read_key(path.parent)
    return 0


def _check_shard(path: Path) -> int:
    """Check one shard, byte by byte; return how many utterances it holds."""
    index = read_index(path)
    if index is None:
        raise corrupt(path, "it was never finished, and is not used")
    # The rows' own checksums too: whoever makes a file can give it the right name.
    _check_rows(index)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    if not path.stem.endswith(digest[:16]):
        raise corrupt(path, "its bytes are not those that its name was made from")
    return len(index)


def _check_rows(index: ShardIndex) -> None:
    stored = np.dtype(index.key.dtype).newbyteorder("<")
    bounds, first = index.bounds, 0
    while first < len(index):
        full = int(np.searchsorted(bounds, bounds[first] + BATCH_BYTES, "right")) - 1
        stop = max(full, first + 1)
        if not np.isfinite(read_rows(index, first, stop).view(stored)).all():
            raise corrupt(index.path, "it holds values that are not finite")
        first = stop
