"""What a cache holds, and which of its shards hold nothing that the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import fsum
from pathlib import Path

from ..errors import SerError
from .contents import Contents, read_manifest, utterances_of
from .folders import size_of
from .keys import FeatureKey
from .shard import ShardIndex


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


def list_holdings(contents: Contents) -> list[Holding]:
    """All that a cache holds: see `Cache.listing`."""
    seconds = lru_cache(None)(partial(_seconds, contents))  # loading a manifest takes longest
    holdings = [
        _look_at(contents, key, corpus, paths, seconds(corpus))
        for key in contents.feature_keys()
        for corpus, paths in contents.shards(key).items()
    ]
    return [holding for holding in holdings if holding is not None]


def _seconds(contents: Contents, corpus: str) -> dict[str, float] | None:
    """Of the audio of each utterance, by what it is found by, where a manifest says so."""
    try:
        manifest = read_manifest(contents.manifest_file(corpus))
    except SerError:
        return None  # `verify` says why
    return dict(zip(utterances_of(manifest), manifest.table["duration"].tolist(), strict=True))


def _look_at(
    contents: Contents,
    key: FeatureKey,
    corpus: str,
    paths: Sequence[Path],
    seconds: Mapping[str, float] | None,
) -> Holding | None:
    """What some shards of one feature and corpus hold; None where all are gone by now."""
    looked_at = contents.look_at(paths, key)
    if not looked_at:
        return None
    shards = [index for index in looked_at.values() if index is not None]
    held = {utterance for index in shards for utterance in index.utterances}
    licences = {index.provenance.get("licence", "") for index in shards} - {""}
    return Holding(
        key=key,
        corpus=corpus,
        utterances=len(held),
        hours=None if seconds is None else fsum(seconds.get(name, 0) for name in held) / 3600,
        bytes=sum(size_of(path) or 0 for path in looked_at),
        shards=len(looked_at),
        damaged=len(looked_at) - len(shards),
        superfluous=len(superfluous(shards)),
        licence="; ".join(sorted(licences)) or None,
    )


def superfluous(shards: Sequence[ShardIndex]) -> list[ShardIndex]:
    """Shards without all of which the very same bytes are read, small ones first.

    Where several hold the same utterance, the first by name is read. So one can go if each of its
    utterances is in another too, and is not read from it or has the same checksum where it is read
    then.

    Args:
        shards: of one feature and corpus, by name.
    """
    holders: dict[str, dict[int, bytes]] = {}  # of each utterance: shards and checksums
    for number, index in enumerate(shards):
        for utterance, checksum in zip(index.utterances, index.checksums, strict=True):
            holders.setdefault(utterance, {})[number] = checksum
    spare = []
    for number in sorted(range(len(shards)), key=lambda number: (len(shards[number]), -number)):
        held = [holders[utterance] for utterance in shards[number].utterances]
        if all(_same_without(number, checksums) for checksums in held):
            spare.append(shards[number])
            for checksums in held:
                del checksums[number]
    return spare


def _same_without(number: int, checksums: Mapping[int, bytes]) -> bool:
    """Whether the first checksum is the same without that of one shard."""
    others = (checksum for other, checksum in checksums.items() if other != number)
    return next(iter(checksums.values())) == next(others, None)
