"""Loading many utterances out of many shards into one packed array."""

from __future__ import annotations

import errno
import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import CorruptShardError, SerError
from ..machine import cores
from .keys import FeatureKey
from .layout import row_checksum
from .opening import GoneError, enough_memory
from .shard import ShardIndex, damaged, first_wrong, map_shard, read_pieces

T = TypeVar("T")

JOB_BYTES = 8 << 20
"""About how much is copied at once: enough for the system's fastest way of copying."""
MAX_THREADS = 4
"""More do not make memory faster."""
MAPS = 64
"""Shards of a feature that are mapped at the same time."""
LOOKS = 3
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
        self._find = find
        self.ids = tuple(ids)
        self._dtype: np.dtype[Any] = np.dtype(key.dtype).newbyteorder("<")
        self._shards = shards
        self._rows = rows
        self._firsts = np.cumsum([0, *map(len, shards)])[:-1]
        self._shard = np.searchsorted(self._firsts, rows, "right") - 1
        self._begin = np.concatenate([each.bounds[:-1] for each in shards])[rows]
        ends = np.concatenate([each.bounds[1:] for each in shards])[rows]
        self._bounds = np.zeros(len(rows) + 1, np.int64)  # of what is packed, in bytes
        np.cumsum(ends - self._begin, out=self._bounds[1:])
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
        try:
            return self._one(index)
        except GoneError:
            return self._looking_again(lambda: self._one(index))

    def _one(self, index: int) -> npt.NDArray[np.floating[Any]]:
        start = self._begin[index]
        size = self._bounds[index + 1] - self._bounds[index]
        data = self._map(int(self._shard[index]))[start : start + size]
        if row_checksum(data.data) != self._sums[index].tobytes():
            raise self._damaged(index)
        rows = data.view(self._dtype).reshape(-1, self.key.dim)
        return rows.astype(self.key.dtype, copy=False)

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
        with enough_memory(f"{self.key.feature}, {self.nbytes / 1e6:.1f} MB"):
            return self._looking_again(lambda: self._read(mapped))

    def _read(self, mapped: bool) -> Features:
        if not mapped:
            frames = np.empty(self.shape, self.key.dtype)
            self._fill(frames)
            return Features(self.key, self.ids, frames, self.offsets)
        if len(self._runs) == 1 and self._begin[0] % self._dtype.itemsize == 0:
            own = map_shard(self._shards[self._shard[0]], mmap.ACCESS_COPY)
            data = np.frombuffer(own, np.uint8)[self._begin[0] :][: self._bounds[-1]]
            self._check_all(data, lambda first, stop, part: part[:: mmap.PAGESIZE].max())
        else:
            data = self._packed_file()
        frames = data.view(self._dtype).reshape(self.shape)
        return Features(self.key, self.ids, frames.astype(self.key.dtype, copy=False), self.offsets)

    def read_into(self, frames: npt.NDArray[np.floating[Any]]) -> None:
        """Load all of them into memory that is there, checking each.

        Args:
            frames: `shape`, contiguous, of the dtype of the key.

        Raises:
            as `read`; what `frames` holds then is not to be used.
        """
        with enough_memory(f"{self.key.feature}, {self.nbytes / 1e6:.1f} MB"):
            self._looking_again(lambda: self._fill(frames))

    def _looking_again(self, do: Callable[[], T]) -> T:
        """Do something that reads; where a shard is gone, look where its utterances are now."""
        for left in reversed(range(LOOKS)):
            try:
                return do()
            except GoneError:
                if self._find is None or not left:
                    raise
                found = self._find()
                if not np.array_equal(found._bounds, self._bounds):
                    raise SerError(
                        f"{self.key.feature}: other features took the place of these while they "
                        "were read. Run the same command again"
                    ) from None
                self.__dict__ = found.__dict__
        raise AssertionError

    def _fill(self, frames: npt.NDArray[np.floating[Any]]) -> None:
        self._check_all(frames.reshape(-1).view(np.uint8), self._copy)
        if frames.dtype != self._dtype:  # a machine that stores the other byte first
            frames.byteswap(inplace=True)

    @cached_property
    def _runs(self) -> npt.NDArray[np.int64]:
        """Where utterances begin that do not follow in a shard upon the one before them."""
        ends = self._begin + np.diff(self._bounds)
        follows = (self._begin[1:] == ends[:-1]) & (self._shard[1:] == self._shard[:-1])
        return np.concatenate([[0], np.flatnonzero(~follows) + 1])

    def _jobs(self) -> Iterator[tuple[int, int]]:
        """Cut the utterances into parts of about `JOB_BYTES`: first of each, and first behind."""
        new = np.diff(self._bounds[:-1] // JOB_BYTES) > 0
        return pairwise([0, *(np.flatnonzero(new) + 1).tolist(), len(self)])

    def _check_all(
        self, data: npt.NDArray[np.uint8], fetch: Callable[[int, int, npt.NDArray[np.uint8]], Any]
    ) -> None:
        """Check everything, part by part, after `fetch` has put it into `data` or touched it.

        Threads fetch, which they do side by side, and this one checks what they have fetched, in
        order: it alone needs the interpreter for each utterance.
        """

        def fetched(job: tuple[int, int]) -> tuple[int, int, npt.NDArray[np.uint8]]:
            part = data[self._bounds[job[0]] : self._bounds[job[1]]]
            fetch(*job, part)
            return *job, part

        threads = min(MAX_THREADS, cores())
        if len(data) <= JOB_BYTES or threads == 1:
            for job in self._jobs():
                self._check(*fetched(job))
            return
        with ThreadPoolExecutor(threads) as pool:
            for each in pool.map(fetched, self._jobs()):
                self._check(*each)

    def _packed_file(self) -> npt.NDArray[np.uint8]:
        """Copy and check everything, part by part, into a file that is gone with the array."""
        try:
            with tempfile.TemporaryFile() as file:
                for first, stop in self._jobs():
                    part = np.empty(self._bounds[stop] - self._bounds[first], np.uint8)
                    self._copy(first, stop, part)
                    self._check(first, stop, part)
                    file.write(part.data)
                file.flush()
                size = int(self._bounds[-1])
                return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError from error
            raise SerError(
                f"{tempfile.gettempdir()}: no temporary file of {self._bounds[-1]} bytes can be "
                f"written ({error.strerror}); set TMPDIR to a folder with more room"
            ) from error

    def _copy(self, first: int, stop: int, out: npt.NDArray[np.uint8]) -> None:
        """Read the utterances `first` to `stop`, as many neighbours at once as there are."""
        begin = np.searchsorted(self._runs, first, "right")
        end = np.searchsorted(self._runs, stop, "left")
        runs = np.array([first, *self._runs[begin:end], stop])
        places = self._bounds[runs] - self._bounds[first]
        shard, source = self._shard[runs[:-1]], self._begin[runs[:-1]].tolist()
        for number in np.unique(shard).tolist():  # one file at a time
            own = np.flatnonzero(shard == number).tolist()
            pieces = [(source[run], out[places[run] : places[run + 1]].data) for run in own]
            read_pieces(self._shards[number], pieces)

    def _check(self, first: int, stop: int, data: npt.NDArray[np.uint8]) -> None:
        bounds = self._bounds[first : stop + 1] - self._bounds[first]
        wrong = first_wrong(data.data, bounds, self._sums[first:stop])
        if wrong is not None:
            raise self._damaged(first + wrong)

    def _damaged(self, index: int) -> CorruptShardError:
        shard = self._shard[index]
        return damaged(self._shards[shard], int(self._rows[index] - self._firsts[shard]))

    @cached_property
    def _sums(self) -> npt.NDArray[np.uint8]:
        sums: npt.NDArray[np.uint8] = np.concatenate([each.checksums for each in self._shards])
        return sums[self._rows]
