"""The bytes of a file that may be too long for memory: read where they are looked at, and corrected
without a copy."""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple, overload

_AT_ONCE = 1 << 20
"""Bytes that are searched at once."""


class _Piece(NamedTuple):
    source: bytes | BinaryIO
    start: int
    end: int

    def read(self, start: int, end: int) -> bytes:
        """Bytes of the source, fewer where it was cut meanwhile."""
        if isinstance(self.source, bytes):
            return self.source[start:end]
        self.source.seek(start)
        return self.source.read(end - start)


class Content:
    """Bytes in memory or of an open file, or put together of such.

    Slices are bytes; `part` and what corrects gives another Content and reads nothing.
    """

    def __init__(self, pieces: Iterable[_Piece]) -> None:
        self._pieces = [piece for piece in pieces if piece.end > piece.start]
        ends = accumulate((piece.end - piece.start for piece in self._pieces), initial=0)
        *self._starts, self._size = ends

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Bytes in memory."""
        return cls([_Piece(data, 0, len(data))])

    @classmethod
    def in_file(cls, file: BinaryIO, size: int) -> Content:
        """The first `size` bytes of a file, which stays open as long as this is used."""
        return cls([_Piece(file, 0, size)])

    def __len__(self) -> int:
        """Bytes."""
        return self._size

    @overload
    def __getitem__(self, where: int) -> int: ...
    @overload
    def __getitem__(self, where: slice) -> bytes: ...
    def __getitem__(self, where: int | slice) -> int | bytes:
        """A byte, from 0 on, or those of a slice without a step."""
        if isinstance(where, int):
            return self[where : where + 1][0]
        start, end, _ = where.indices(self._size)
        return b"".join(piece.read(*piece[1:]) for piece in self._between(start, end))

    def part(self, start: int, end: int | None = None) -> Content:
        """The bytes of a slice, not read."""
        start, end, _ = slice(start, end).indices(self._size)
        return Content(self._between(start, end))

    def replaced(self, position: int, data: bytes) -> Content:
        """The same with other bytes, as many, from a position on."""
        behind = self._between(position + len(data), self._size)
        return Content([*self._between(0, position), _Piece(data, 0, len(data)), *behind])

    def behind(self, data: bytes) -> Content:
        """The same with bytes before it."""
        return Content([_Piece(data, 0, len(data)), *self._pieces])

    def unpack(self, form: str, position: int) -> tuple[Any, ...]:
        """Numbers at a position, as `struct` has them, and raising as `struct` does."""
        return struct.unpack(form, self[position : position + struct.calcsize(form)])

    def packed(self, form: str, position: int, *values: int) -> Content:
        """The same with other numbers at a position."""
        return self.replaced(position, struct.pack(form, *values))

    def startswith(self, start: bytes, position: int = 0) -> bool:
        """Whether these bytes are at a position."""
        return self[position : position + len(start)] == start

    def find(self, wanted: bytes, start: int = 0, end: int | None = None) -> int:
        """The first position of bytes that lie between two others; -1 if there is none."""
        end = self._size if end is None else min(end, self._size)
        for at in range(start, end, _AT_ONCE):
            found = self[at : min(at + _AT_ONCE + len(wanted) - 1, end)].find(wanted)
            if found >= 0:
                return at + found
        return -1

    def only_zeros(self, start: int, end: int) -> bool:
        """Whether all bytes of a slice are zero."""
        for at in range(start, end, _AT_ONCE):
            some = self[at : min(at + _AT_ONCE, end)]
            if some.count(0) < len(some):
                return False
        return True

    def open(self) -> ContentFile:
        """As a file, to read."""
        return ContentFile(self)

    def _between(self, start: int, end: int) -> Iterator[_Piece]:
        """The pieces that lie there, the first and the last of them cut."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        for piece, begin in zip(self._pieces[first:], self._starts[first:], strict=True):
            if begin >= end:
                return
            low, high = max(start - begin, 0), min(end - begin, piece.end - piece.start)
            if high > low:
                yield _Piece(piece.source, piece.start + low, piece.start + high)


class ContentFile(io.RawIOBase):
    """A Content as libsndfile reads files.

    Attributes:
        failure: why it seemed to end; libsndfile lets no exception through.
    """

    def __init__(self, content: Content) -> None:
        self.failure: OSError | None = None
        self._content = content
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._position, len(self._content))[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._content[self._position : self._position + len(buffer)]
        except OSError as error:
            self.failure, data = error, b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
