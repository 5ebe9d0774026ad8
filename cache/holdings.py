"""What a cache holds, and which of its shards hold nothing that the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SerError
from .access import GoneError
from .indices import Indices
from .keys import FeatureKey
from .shard import ShardIndex
from .verify import size_of


@dataclass(frozen=True)
class Holding:
    """What a cache holds of one feature and one corpus.

    Attributes:
        utterances: distinct ones, in readable shards.
        hours: of their audio, from the manifest in the cache; None without one.
        bytes, shards: of all files, damaged ones included.
        damaged: how many of the shards cannot be used.
        superfluous: how many hold nothing that the others do not, as after merging copies.
        licence: of the features, as their shards say; None where none says.
    """

    key: FeatureKey
    corpus: str
    utterances: int
    hours: float | None
    bytes: int
    shards: int
    damaged: int
    superfluous: int
    licence: str | None


def look_at(
    key: FeatureKey,
    corpus: str,
    paths: Sequence[Path],
    indices: Indices,
    seconds: Mapping[str, float] | None,
) -> Holding | None:
    """What some shards of one feature and corpus hold; None where all are gone by now.

    Args:
        seconds: of the audio of utterances, by what they are found by.
    """
    sizes, shards, damaged = 0, [], 0
    for path in paths:
        size = size_of(path)
        try:
            index = None if size is None else indices.read(path, key)
        except GoneError:
            continue
        except SerError:
            index = None
        if size is None:
            continue
        sizes += size
        if index is None:
            damaged += 1
        else:
            shards.append(index)
    if not shards and not damaged:
        return None
    held = {utterance for index in shards for utterance in index.utterances}
    licences = {index.provenance.get("licence", "") for index in shards} - {""}
    return Holding(
        key=key,
        corpus=corpus,
        utterances=len(held),
        hours=None if seconds is None else sum(seconds.get(each, 0) for each in held) / 3600,
        bytes=sizes,
        shards=len(shards) + damaged,
        damaged=damaged,
        superfluous=len(superfluous(shards)) if sum(map(len, shards)) > len(held) else 0,
        licence="; ".join(sorted(licences)) or None,
    )


def superfluous(shards: Sequence[ShardIndex]) -> list[ShardIndex]:
    """Shards without all of which the very same bytes are read, small ones first.

    Args:
        shards: of one feature and corpus, by name.
    """
    held = _Held(shards)
    found = []
    for number in sorted(range(len(shards)), key=lambda number: (len(shards[number]), -number)):
        if held.can_do_without(number):
            held.drop(number)
            found.append(shards[number])
    return found


def is_superfluous(index: ShardIndex, shards: Sequence[ShardIndex]) -> bool:
    """Whether the very same bytes are read without this one of `shards`, which are by name."""
    return _Held(shards).can_do_without(shards.index(index))


class _Held:
    """Which shards hold which utterances.

    Where several hold the same, the first by name is read. So one can go if each of its utterances
    is in another too, and is not read from it or has the same checksum where it is read then.
    """

    def __init__(self, shards: Sequence[ShardIndex]) -> None:
        self._shards = shards
        self._sums: dict[str, dict[int, bytes]] = {}
        for number, index in enumerate(shards):
            for utterance, checksum in zip(index.utterances, index.checksums, strict=True):
                self._sums.setdefault(utterance, {})[number] = checksum

    def can_do_without(self, number: int) -> bool:
        return all(
            next(iter(sums.values())) == next((s for n, s in sums.items() if n != number), None)
            for sums in map(self._sums.__getitem__, self._shards[number].utterances)
        )

    def drop(self, number: int) -> None:
        for utterance in self._shards[number].utterances:
            del self._sums[utterance][number]
