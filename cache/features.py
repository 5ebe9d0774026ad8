"""Loading many utterances out of many shards into one packed array."""

from __future__ import annotations

import errno
import mmap
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import SerError
from .access import GoneError, enough_memory
from .keys import FeatureKey
from .layout import WRITE_BYTES, row_checksum
from .shard import ShardIndex, damaged, map_shard, reading

T = TypeVar("T")

MAPS = 64
"""Shards of a feature that are mapped at the same time."""
LOOKS = 10
"""How often features are looked for whose shards other processes remove meanwhile."""


@dataclass(frozen=True, eq=False)
class Features:
    """One feature of many utterances, packed.

    Attributes:
        key: what the rows are.
        ids: the n utterances, in the order of the manifest.
        frames: (sum T, dim), float32 or float16 as the key says; writable, and the caller's own.
        offsets: int64, (n + 1); utterance i is `frames[offsets[i]:offsets[i + 1]]`.
    """

    key: FeatureKey
    ids: tuple[str, ...]
    frames: npt.NDArray[np.floating[Any]]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> npt.NDArray[np.floating[Any]]:
        """The rows of the utterance at `index`, (T, dim): a view."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.frames[self.offsets[index] : self.offsets[index + 1]]


class StoredFeatures:
    """One feature of many utterances, found in the shards, none of it read yet.

    Args:
        key: what the rows are.
        ids: the n utterances.
        shards: where they are.
        rows: (n): for each id, its place among the utterances of all `shards`, one after the other.
        find: finds the same features anew, once a shard is gone; raises where they are not there.
    """

    def __init__(
        self,
        key: FeatureKey,
        ids: Sequence[str],
        shards: Sequence[ShardIndex],
        rows: npt.NDArray[np.int64],
        find: Callable[[], StoredFeatures] | None = None,
    ) -> None:
        self.key = key
        self.ids = tuple(ids)
        self._find = find
        self._shards = shards
        firsts = np.cumsum([0, *map(len, shards)])
        shard = np.searchsorted(firsts, rows, "right") - 1
        self._shard: list[int] = shard.tolist()
        self._row: list[int] = (rows - firsts[shard]).tolist()
        begins = np.concatenate([index.bounds[:-1] for index in shards])[rows]
        ends = np.concatenate([index.bounds[1:] for index in shards])[rows]
        self._begin: list[int] = begins.tolist()  # in its shard's file
        self._bounds = np.concatenate([[0], np.cumsum(ends - begins)])  # of what is packed, bytes
        self._dtype: np.dtype[Any] = np.dtype(key.dtype).newbyteorder("<")
        # Not all maps at once: each takes one of the files that a process may have open.
        self._map = lru_cache(MAPS)(lambda number: np.frombuffer(map_shard(shards[number]), "u1"))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> npt.NDArray[np.floating[Any]]:
        """The rows of the utterance at `index`, (T, dim), checked now: a view that is read-only.

        Raises:
            CorruptShardError: its bytes are not those that were written.
            MissingFeaturesError: its shard was removed, and no other has it.
            SerError: its shard cannot be opened.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._as_rows(self._looking_again(lambda: self._mapped(index)))

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """As those of `Features`: int64, (n + 1), in rows."""
        return self._bounds // (self.key.dim * self._dtype.itemsize)

    @property
    def shape(self) -> tuple[int, int]:
        """(sum T, dim): of all of them, packed."""
        return int(self.offsets[-1]), self.key.dim

    @property
    def nbytes(self) -> int:
        """The size of all of them."""
        return int(self._bounds[-1])

    @property
    def licence(self) -> str:
        """Of the features, as their shards say; blank where none says."""
        said = {index.provenance.get("licence", "") for index in self._shards}
        return "; ".join(sorted(said - {""}))

    def read(self, mapped: bool = False) -> Features:
        """Load all of them, checking each.

        Args:
            mapped: see `Cache.read`.

        Raises:
            CorruptShardError: an utterance's bytes are not those that were written.
            MissingFeaturesError: a shard was removed, and no other has what it had.
            SerError: a shard cannot be opened, or there is no room for a temporary file, or no
                memory.
        """
        with self._enough_memory():
            if mapped:
                frames = self._as_rows(self._looking_again(self._map_all))
            else:
                frames = np.empty(self.shape, self.key.dtype)
                self.read_into(frames)
        return Features(self.key, self.ids, frames, self.offsets)

    def read_into(self, frames: npt.NDArray[np.floating[Any]]) -> None:
        """Load all of them into memory that is there, checking each.

        Args:
            frames: `shape`, contiguous, of the dtype of the key.

        Raises:
            as `read`; what `frames` holds then is not to be used.
        """
        with self._enough_memory():
            self._looking_again(lambda: self._fill(frames.reshape(-1).view(np.uint8).data))
        if frames.dtype != self._dtype:  # a machine that stores the other byte first
            frames.byteswap(inplace=True)

    def _enough_memory(self) -> AbstractContextManager[None]:
        return enough_memory(f"{self.key.feature}, {self.nbytes / 1e6:.1f} MB")

    def _looking_again(self, do: Callable[[], T]) -> T:
        """Do something that reads; where a shard is gone, look where its utterances are now."""
        for left in reversed(range(LOOKS)):
            try:
                return do()
            except GoneError:
                if self._find is None or not left:
                    raise
                again = self._find()
                if not np.array_equal(again._bounds, self._bounds):
                    raise SerError(
                        f"{self.key.feature}: other features took the place of these while they "
                        "were read. Run the same command again"
                    ) from None
                self.__dict__ = again.__dict__
        raise AssertionError

    def _fill(self, data: memoryview) -> None:
        """Read all bytes, by plain reads, one file at a time."""
        bounds = self._bounds.tolist()
        by_shard = sorted(range(len(self)), key=self._shard.__getitem__)
        for number, indices in groupby(by_shard, self._shard.__getitem__):
            with reading(self._shards[number]) as read:
                for index in indices:
                    rows = data[bounds[index] : bounds[index + 1]]
                    read(self._begin[index], rows)
                    self._check(index, rows)

    def _map_all(self) -> npt.NDArray[np.uint8]:
        """All bytes, in a map: of their shard, or of a file that is gone with the array."""
        first, begin = self._row[0], self._begin[0]
        in_one_piece = self._row == list(range(first, first + len(self)))
        if not in_one_piece or len(set(self._shard)) > 1 or begin % self._dtype.itemsize:
            return self._packed_file()
        whole = np.frombuffer(map_shard(self._shards[self._shard[0]], mmap.ACCESS_COPY), np.uint8)
        data = whole[begin : begin + self.nbytes]
        for index, (start, stop) in enumerate(pairwise(self._bounds.tolist())):
            self._check(index, data[start:stop].data)
        return data

    def _packed_file(self) -> npt.NDArray[np.uint8]:
        try:
            with tempfile.TemporaryFile(buffering=WRITE_BYTES) as file:
                for index in range(len(self)):
                    file.write(self._mapped(index).data)
                file.flush()
                return np.frombuffer(mmap.mmap(file.fileno(), self.nbytes), np.uint8)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError from error
            raise SerError(
                f"{tempfile.gettempdir()}: no temporary file of {self.nbytes} bytes can be "
                f"written ({error.strerror}); set TMPDIR to a folder with more room"
            ) from error

    def _mapped(self, index: int) -> npt.NDArray[np.uint8]:
        """The bytes of one utterance, in the map of its shard."""
        begin, size = self._begin[index], self._bounds[index + 1] - self._bounds[index]
        data = self._map(self._shard[index])[begin : begin + size]
        self._check(index, data.data)
        return data

    def _check(self, index: int, data: memoryview) -> None:
        shard, row = self._shards[self._shard[index]], self._row[index]
        if row_checksum(data) != shard.checksums[row]:
            raise damaged(shard, row)

    def _as_rows(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating[Any]]:
        rows: npt.NDArray[np.floating[Any]] = data.view(self._dtype).reshape(-1, self.key.dim)
        return rows.astype(self.key.dtype, copy=False)
