"""What two caches have that differs, wherever they lie: features, utterances, labels."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...errors import CorruptShardError
from .. import layout
from ..shard import ShardIndex, index_in
from .labels import ManifestDifference, difference, manifest_at
from .place import Place, offers

if TYPE_CHECKING:
    from ...manifests import Manifest

BLOCK = 1 << 18
"""Bytes that are asked for at once of a shard whose index is read from afar."""


@dataclass(frozen=True)
class FeatureDifference:
    """What of one feature and corpus only one of two caches has.

    Attributes:
        feature: as the shards say; the name of their folder where none can be read.
        only: utterances that only the one has, and only the other.
        shards: as `only`, files; those of one name are the same.
        damaged: shards whose index cannot be read, by name.
    """

    corpus: str
    feature: str
    only: tuple[int, int]
    shards: tuple[int, int]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class CacheDifference:
    """How two caches differ.

    Attributes:
        features: of each feature and corpus of which their shards are not the same.
        manifests: of each corpus of which theirs are not the same.
        only: corpora whose manifest only the one has, and only the other.
        values: by corpus, what both say of the utterances that they describe differently:
            (id, column, the one, the other).
    """

    features: list[FeatureDifference]
    manifests: list[ManifestDifference]
    only: tuple[list[str], list[str]]
    values: dict[str, list[tuple[str, str, str, str]]]

    def __bool__(self) -> bool:
        return bool(self.features or self.manifests or any(self.only))


def diff(one: Place, other: Place) -> CacheDifference:
    """Compare two caches. Of shards that only one has, the indices are read, and no rows.

    Raises:
        InputError: a manifest is none.
        SerError: a place cannot be read.
    """
    places = (one, other)
    offered = offers(one, other)
    groups: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for side, each in enumerate(offered):
        for name in each.shards:
            groups.setdefault(layout.group_of(name), (set(), set()))[side].add(name)
    features = []
    for (corpus, folder), names in sorted(groups.items()):
        if names[0] != names[1]:
            sizes = {**offered[1].shards, **offered[0].shards}
            features.append(_of_feature(places, corpus, folder, names, sizes))
    manifests, values = [], {}
    for corpus in sorted({*offered[0].corpora} & {*offered[1].corpora}):
        here, there = (manifest_at(place, corpus) for place in places)
        if here is not None and there is not None and (found := difference(here, there)):
            manifests.append(found)
            values[corpus] = list(_values(found, here, there))
    only = (
        sorted({*offered[0].corpora} - {*offered[1].corpora}),
        sorted({*offered[1].corpora} - {*offered[0].corpora}),
    )
    return CacheDifference(features, manifests, only, values)


def index_at(place: Place, name: str, size: int | None) -> ShardIndex | None:
    """The index of a shard at a place, by the few parts of its file that hold it.

    Raises:
        CorruptShardError: it is damaged.
        SerError: it cannot be read.
    """
    size = place.size(name) if size is None else size
    if size is None:
        return None
    with io.BufferedReader(_Parts(place, name, size), 1 << 16) as file:
        return index_in(cast("Any", file), size, Path(place.shown) / name)


def _of_feature(
    places: tuple[Place, Place],
    corpus: str,
    folder: str,
    names: tuple[set[str], set[str]],
    sizes: dict[str, int | None],
) -> FeatureDifference:
    feature, damaged = folder, []

    def utterances(place: Place, shards: Iterable[str]) -> set[str]:
        nonlocal feature
        held: set[str] = set()
        for name in sorted(shards):
            try:
                index = index_at(place, name, sizes[name])
            except CorruptShardError:
                index = None
            if index is None:
                damaged.append(name)
                continue
            feature = index.key.short
            held.update(index.utterances)
        return held

    common = utterances(places[0], names[0] & names[1])
    here = utterances(places[0], names[0] - names[1]) - common
    there = utterances(places[1], names[1] - names[0]) - common
    return FeatureDifference(
        corpus=corpus,
        feature=feature,
        only=(len(here - there), len(there - here)),
        shards=(len(names[0] - names[1]), len(names[1] - names[0])),
        damaged=tuple(damaged),
    )


def _values(
    found: ManifestDifference, here: Manifest, there: Manifest
) -> Iterable[tuple[str, str, str, str]]:
    tables = [manifest.table.set_index("id") for manifest in (here, there)]
    for column, ids in found.changed.items():
        for id in ids:
            texts = [str(table.at[id, column]) if column in table else "" for table in tables]
            yield id, column, texts[0], texts[1]


class _Parts(io.RawIOBase):
    """A file at a place, read as it is asked for."""

    def __init__(self, place: Place, name: str, size: int) -> None:
        self._place, self._name, self._size = place, name, size
        self._at = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        number, inside = divmod(self._at, BLOCK)
        if number not in self._blocks:
            stop = min((number + 1) * BLOCK, self._size)
            start = number * BLOCK
            self._blocks[number] = (
                self._place.part(self._name, start, stop) if start < stop else b""
            )
        piece = self._blocks[number][inside : inside + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
