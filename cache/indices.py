"""The indices of shards, each read once."""

from __future__ import annotations

from pathlib import Path

from .access import GoneError, read_error
from .folders import shard_files
from .keys import FeatureKey
from .shard import ShardIndex, read_index

LOOKS = 3
"""How often a folder is listed anew where files vanish between listing and opening."""


class Indices:
    """Reads the indices of shards. Shards never change: each is read once for as long as its file
    looks the same.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, int, ShardIndex | None]] = {}

    def of(self, folder: Path, key: FeatureKey, corpus: str) -> list[ShardIndex]:
        """Those of the finished shards of one feature folder and corpus, by file name.

        Raises:
            CorruptShardError: one is damaged.
            SerError: one cannot be opened, or the folder cannot be listed.
        """
        for _ in range(LOOKS):
            found, gone = [], False
            for path in shard_files(folder, corpus):
                try:
                    index = self.read(path, key)
                except GoneError:
                    gone = True
                    continue
                if index is not None:
                    found.append(index)
            if not gone:
                break  # else what is gone may be in another shard that came meanwhile
        return found

    def read(self, path: Path, key: FeatureKey) -> ShardIndex | None:
        """That of one shard; None where it was never finished.

        Raises:
            CorruptShardError: it is damaged.
            GoneError: it is not there.
            SerError: it cannot be opened.
        """
        try:
            status = path.stat()
        except OSError as error:
            raise read_error(path, error) from error
        known = self._known.get(path)
        if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
            known = (status.st_size, status.st_mtime_ns, read_index(path, key))
            self._known[path] = known
        return known[2]
