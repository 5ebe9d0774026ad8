"""Merging small shards of one feature and corpus into few: the same bytes are read afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import CorruptShardError, SerError
from .access import GoneError, enough_memory
from .aside import is_there, take_out
from .holders import in_two_versions
from .keys import FeatureKey
from .layout import row_checksum
from .publish import write_shard
from .shard import ShardIndex, corrupt, damaged, reading
from .verify import check_shard
from .writer import SHARD_BYTES, SHARD_UTTERANCES

Utterance = tuple[str, str, npt.NDArray[np.floating[Any]]]
"""Id, audio hash, rows."""


@dataclass(frozen=True)
class Merge:
    """Shards of one feature and corpus that were merged, or would be.

    Attributes:
        shards: how many there were.
        into: how many hold the same now.
        bytes: of their rows.
    """

    key: FeatureKey
    corpus: str
    shards: int
    into: int
    bytes: int

    @classmethod
    def of(cls, groups: Sequence[Sequence[ShardIndex]]) -> Merge:
        """Of groups of shards, each of which becomes, or became, one."""
        shards = [index for group in groups for index in group]
        first, size = shards[0], sum(map(_size, shards))
        return cls(first.key, first.corpus, len(shards), len(groups), size)


def groups_to_merge(
    own: Sequence[ShardIndex], shared: Sequence[ShardIndex] = ()
) -> list[list[ShardIndex]]:
    """Small shards that would make one shard together, of the usual size at most.

    They are made by the same software. None holds an utterance of which another shard, a shared one
    too, has other bytes: which are read depends on the names of the shards. A shard is small up to
    half the usual size, so that what was merged is soon merged no more.

    Args:
        own: shards of one feature and corpus.
        shared: those of the same, in other folders.
    """
    small = [
        index
        for index in own
        if len(index) <= SHARD_UTTERANCES // 2 and _size(index) <= SHARD_BYTES // 2
    ]
    if len(small) < 2:
        return []
    torn = in_two_versions([*own, *shared])
    by_software: dict[tuple[tuple[str, str], ...], list[ShardIndex]] = {}
    for index in small:
        if not torn or torn.isdisjoint(index.utterances):
            by_software.setdefault(tuple(sorted(index.provenance.items())), []).append(index)
    groups = [
        group
        for shards in by_software.values()
        for consistent in _consistent(shards)
        for group in _packed(consistent)
    ]
    return [group for group in groups if len(group) > 1]


def _consistent(shards: Sequence[ShardIndex]) -> Iterator[list[ShardIndex]]:
    """Shards, neighbours together, apart where they have other audio under the same id.

    A shard holds an id once; of a corpus that was recorded anew, another holds it too.
    """
    left = sorted(shards, key=lambda index: (min(index.ids), index.path.name))
    while left:
        hashes: dict[str, str] = {}
        takes: tuple[list[ShardIndex], list[ShardIndex]] = ([], [])
        for index in left:
            given = dict(zip(index.ids, index.audio_hashes, strict=True))
            fits = all(hashes.get(id, audio) == audio for id, audio in given.items())
            takes[not fits].append(index)
            hashes |= given if fits else {}
        kept, left = takes
        yield kept


def _packed(shards: Iterable[ShardIndex]) -> list[list[ShardIndex]]:
    """Shards in groups of the usual size, one after the other."""
    groups: list[list[ShardIndex]] = []
    count = size = 0
    for index in shards:
        count, size = count + len(index), size + _size(index)
        if not groups or count > SHARD_UTTERANCES or size > SHARD_BYTES:
            groups.append([])
            count, size = len(index), _size(index)
        groups[-1].append(index)
    return groups


def merge(
    groups: Iterable[Sequence[ShardIndex]], folder: Path, checking: Callable[[Path], None]
) -> list[list[ShardIndex]]:
    """Write a shard for each group, and remove those that it holds all of.

    All are written, and checked, before the first goes: who reads meanwhile looks again once, and
    whatever ends this leaves everything there.

    Args:
        folder: the feature folder.
        checking: called with each shard that is read.

    Returns:
        For each new shard the old ones that are gone.

    Raises:
        SerError: the folder cannot be written, or there is too little memory.
    """
    written = [_write(group, folder, checking) for group in groups]
    return [
        [index for index in shards if take_out(index.path, partial(is_there, path))]
        for path, shards in filter(None, written)
    ]


def _write(
    group: Sequence[ShardIndex], folder: Path, checking: Callable[[Path], None]
) -> tuple[Path, list[ShardIndex]] | None:
    """The new shard and those that it holds all of; None where fewer than two are whole."""
    whole: list[ShardIndex] = []
    utterances: dict[str, Utterance] = {}
    with enough_memory(str(folder)):
        for index in group:
            checking(index.path)
            try:
                utterances |= _read(index)
            except (CorruptShardError, GoneError):
                continue  # `ser cache verify` says what is wrong with it
            whole.append(index)
        if len(whole) < 2:
            return None
        ids, hashes, rows = zip(*sorted(utterances.values(), key=lambda each: each[0]), strict=True)
        largest = max(whole, key=lambda index: (len(index), index.path.name))
        path = write_shard(
            *(folder, largest.key, largest.corpus, largest.manifest_id, largest.provenance),
            *(ids, hashes, rows),
        )
        del utterances, rows
    try:
        check_shard(path)
    except CorruptShardError as error:
        path.unlink(missing_ok=True)
        raise SerError(
            f"{folder}: what was written there does not read back ({error}). Nothing was removed. "
            "Is the disk sound? `ser cache verify` tells what is"
        ) from error
    return path, [index for index in whole if index.path != path]


def _read(index: ShardIndex) -> dict[str, Utterance]:
    """All utterances of a shard, by what they are found by; checked as `check_shard` does."""
    data = np.empty(_size(index), np.uint8)
    with reading(index) as read:
        read(int(index.bounds[0]), data.data)
    stored = np.dtype(index.key.dtype).newbyteorder("<")
    if not np.isfinite(data.view(stored)).all():
        raise corrupt(index.path, "it holds values that are not finite")
    utterances = {}
    for row, (start, end) in enumerate(pairwise((index.bounds - index.bounds[0]).tolist())):
        if row_checksum(data[start:end].data) != index.checksums[row]:
            raise damaged(index, row)
        rows = data[start:end].view(stored).reshape(-1, index.key.dim)
        utterances[index.utterances[row]] = (index.ids[row], index.audio_hashes[row], rows)
    return utterances


def _size(index: ShardIndex) -> int:
    return int(index.bounds[-1] - index.bounds[0])
