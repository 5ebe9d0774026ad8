"""Which shards hold the same utterances, and which of them can go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain
from pathlib import Path

from .shard import ShardIndex


class Holders:
    """The shards that hold each utterance of one feature and corpus, and with what bytes.

    Args:
        own: shards in the folder of the cache that is written.
        shared: those in the others. They decide too what is read, but may go away with their drive:
            what only they hold besides is not held twice.
    """

    def __init__(self, own: Sequence[ShardIndex], shared: Sequence[ShardIndex] = ()) -> None:
        self._own = list(own)
        self._shards = sorted([*own, *shared], key=lambda index: index.path.name)
        self._paths = {index.path for index in own}
        self._held: dict[str, dict[int, bytes]] = {}  # checksums by the number of a shard, in order
        for number, index in enumerate(self._shards):
            for utterance, checksum in zip(index.utterances, index.checksums, strict=True):
                self._held.setdefault(utterance, {})[number] = checksum

    def superfluous(self) -> list[ShardIndex]:
        """Shards of one's own without all of which the very same bytes are read, small ones first.

        Where several hold the same utterance, the first by name is read. So one can go if each of
        its utterances is in another too, and is not read from it or has the same checksum where it
        is read then.
        """
        by_name = sorted(self._own, key=lambda index: index.path.name, reverse=True)
        left, gone = sorted(by_name, key=len), dict[Path, ShardIndex]()
        more = True
        while more:  # without one, another may hold nothing any more that is read
            more = False
            for index in left:
                if self.can_do_without(index, lambda path: path not in gone):
                    gone[index.path] = index
                    more = True
            left = [index for index in left if index.path not in gone]
        return list(gone.values())

    def can_do_without(self, index: ShardIndex, is_there: Callable[[Path], bool]) -> bool:
        """Whether the same bytes are read without a shard, from those that are there."""
        there = lru_cache(None)(is_there)

        def left(number: int) -> bool:
            return self._shards[number] is index or there(self._shards[number].path)

        for utterance in index.utterances:
            held = self._held[utterance]
            if len(held) == 1:
                return False
            held = {number: checksum for number, checksum in held.items() if left(number)}
            own = {
                number: checksum
                for number, checksum in held.items()
                if self._shards[number].path in self._paths
            }
            if not (self._same_without(index, held) and self._same_without(index, own)):
                return False
        return True

    def _same_without(self, index: ShardIndex, held: Mapping[int, bytes]) -> bool:
        """Whether the first checksum is the same without that of one shard."""
        others = (each for number, each in held.items() if self._shards[number] is not index)
        return next(iter(held.values())) == next(others, None)


def superfluous(own: Sequence[ShardIndex], shared: Sequence[ShardIndex] = ()) -> list[ShardIndex]:
    """See `Holders.superfluous`; answers at once where no utterance is held twice, as mostly."""
    if len(set(chain.from_iterable(index.utterances for index in own))) == sum(map(len, own)):
        return []
    return Holders(own, shared).superfluous()


def in_two_versions(shards: Iterable[ShardIndex]) -> Set[str]:
    """Utterances of which shards hold different bytes: which are read depends on their names."""
    first: dict[str, bytes] = {}
    return {
        utterance
        for index in shards
        for utterance, checksum in zip(index.utterances, index.checksums, strict=True)
        if first.setdefault(utterance, checksum) != checksum
    }
