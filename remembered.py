"""Files of the user's own cache folder: what one command found out and the next need not.

A convenience: where there is nothing, or anything is odd, it is found out again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from .files import atomic_write, read_regular

T = TypeVar("T")

UNUSED = 180 * 86_400.0
"""Seconds after which what was not used is forgotten."""


@dataclass(frozen=True)
class Remembered:
    """Files of a folder, each the bytes that are known of something by its name.

    Attributes:
        most_bytes: of a file.
        most_files: what was used last is kept.
    """

    folder: Path
    suffix: str
    most_bytes: int = 1 << 30
    most_files: int = 1000

    @classmethod
    def of_user(cls, name: str, suffix: str, most_files: int = 1000) -> Self:
        """In the folder that this system has for it."""
        from platformdirs import user_cache_path

        folder = user_cache_path(name, appauthor=False)
        return cls(folder, suffix, most_files=most_files)

    def read(self, name: str) -> bytes | None:
        """What was written under a name; None where nothing was, or it is not as it was."""
        import xxhash

        try:
            data = memoryview(read_regular(self._file(name), self.most_bytes))
            self._file(name).touch()
        except (OSError, ValueError):
            return None
        whole = xxhash.xxh3_128_digest(data[_CHECKSUM:]) == data[:_CHECKSUM]
        return bytes(data[_CHECKSUM:]) if whole else None

    def found(
        self,
        asked: bytes,
        kind: type[T],
        find: Callable[[], T],
        lasts: Callable[[T], bool] = lambda found: True,
    ) -> T:
        """What `find` says, found once for what is asked, where it lasts."""
        import hashlib

        from msgspec import DecodeError, msgpack

        name = hashlib.sha256(asked).hexdigest()[:32]
        if (data := self.read(name)) is not None:
            with suppress(DecodeError):
                return msgpack.decode(data, type=kind)
        found = find()
        if lasts(found):
            self.write(name, msgpack.encode(found))
        return found

    def write(self, name: str, data: bytes) -> None:
        """Remember it; does nothing where it cannot write."""
        import xxhash

        content = xxhash.xxh3_128_digest(data) + data
        with suppress(OSError, ValueError):
            atomic_write(self._file(name), lambda partial: partial.write_bytes(content))
            self.forget()

    def forget(self) -> None:
        """Remove what was not used for half a year, or is too much."""
        used = {path: path.lstat().st_mtime for path in self.folder.glob(f"*{self.suffix}")}
        oldest = time.time() - UNUSED
        for place, path in enumerate(sorted(used, key=lambda path: -used[path])):
            if place >= self.most_files or used[path] < oldest:
                path.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{self.suffix}"


_CHECKSUM = 16
"""Bytes."""
