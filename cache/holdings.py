"""What a cache holds, folder by folder, and what people call it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import fsum
from pathlib import Path

from msgspec import Struct

from ..errors import SerError
from ..remembered import Remembered
from .contents import Contents, read_durations
from .holders import superfluous
from .keys import FeatureKey, Scalar
from .known_indices import MANY, known_indices, stamp_of

_FORMAT = 1
"""To be raised whenever something else is counted."""


@dataclass(frozen=True)
class Holding:
    """What one place holds of one feature and one corpus.

    Attributes:
        where: `private` for the folder that is written, `shared` for the others: see `places`.
        utterances: distinct ones, in readable shards.
        hours: of their audio, from the manifest in the cache; None without one.
        bytes, shards: of all files, damaged ones included.
        newest: when the last of the shards was written.
        damaged: how many of the shards cannot be used.
        superfluous: how many hold nothing that the others do not, as after merging copies.
        licence: of the features, as their shards say; None where none says.
    """

    key: FeatureKey
    corpus: str
    where: str
    utterances: int
    hours: float | None
    bytes: int
    shards: int
    newest: datetime
    damaged: int
    superfluous: int
    licence: str | None


def places(folders: Sequence[Path]) -> dict[str, Path]:
    """The folders of a cache by what `Holding.where` calls them, the one that is written first."""
    shared = ["shared", *(f"shared {number}" for number in range(2, len(folders)))]
    return dict(zip(["private", *shared], folders, strict=False))


def list_holdings(contents: Contents) -> list[Holding]:
    """All that a cache holds: see `Cache.listing`."""
    seconds = lru_cache(None)(partial(_seconds, contents))  # loading a manifest takes longest
    list(contents.layers())  # each must be there
    holdings = [
        _look_at(contents, key, corpus, where, folder, paths, partial(seconds, corpus))
        for key in contents.feature_keys()
        for where, folder in places(contents.folders).items()
        for corpus, paths in contents.shards(key, folder).items()
    ]
    return sorted(
        (holding for holding in holdings if holding is not None),
        key=lambda each: (each.corpus, each.key.feature, each.key.hash),
    )


def in_words(keys: Iterable[FeatureKey]) -> dict[FeatureKey, str]:
    """What people call each key: its feature, and in what it differs from others of its feature."""
    by_feature: dict[str, list[FeatureKey]] = {}
    for key in dict.fromkeys(keys):
        by_feature.setdefault(key.feature, []).append(key)
    words = {}
    for feature, alike in by_feature.items():
        said = {key: _said(key) for key in alike}
        for key, values in said.items():
            other = [
                f"{name} {'none' if value is None else value}"
                for name, value in values.items()
                if any(each.get(name) != value for each in said.values())
            ]
            words[key] = feature + (f" ({', '.join(other)})" if other else "")
    return words


def _said(key: FeatureKey) -> dict[str, Scalar | None]:
    """All that makes a key, by name; of its weights what tells them apart."""
    return {
        "version": key.version,
        "weights": key.weights and key.weights[:8],
        **key.parameters,
        **{f"audio {name}": value for name, value in key.audio.items()},
        "backbone": key.backbone,
        "dtype": key.dtype,
        "kind": key.kind,
        "dim": key.dim,
        "frame rate": key.frame_rate,
    }


def _seconds(contents: Contents, corpus: str) -> dict[str, float] | None:
    """Of the audio of each utterance, by what it is found by, where a manifest says so."""
    try:
        return read_durations(contents.manifest_file(corpus))
    except (SerError, ValueError):
        return None  # `verify` says why


class _Counts(Struct, frozen=True, array_like=True):
    """What the indices of some shards say: see `Holding`."""

    utterances: int
    hours: float | None
    damaged: int
    superfluous: int
    licence: str | None

    @property
    def whole(self) -> bool:
        """Whether all could be read: what a drive does not give now, it may give later."""
        return not self.damaged and self.hours is not None


def _look_at(
    contents: Contents,
    key: FeatureKey,
    corpus: str,
    where: str,
    folder: Path,
    paths: Sequence[Path],
    seconds: Callable[[], Mapping[str, float] | None],
) -> Holding | None:
    """What some shards of one feature and corpus hold; None where all are gone by now."""
    looks = {path: look for path in paths if (look := _status(path)) is not None}
    if not looks:
        return None

    def count() -> _Counts:
        return _count(contents, folder, key, corpus, list(looks), seconds())

    if len(looks) < MANY:
        counts = count()
    else:
        manifest = contents.manifest_file(corpus)
        files = {**looks, manifest: _status(manifest)}
        stamps = [(str(path), look and stamp_of(look)) for path, look in files.items()]
        asked = repr((_FORMAT, key.folder, corpus, stamps)).encode("utf-8", "surrogateescape")
        known = Remembered.of_user("ser-indices", ".counts")
        counts = known.found(asked, _Counts, count, lambda found: found.whole)
    return Holding(
        key=key,
        corpus=corpus,
        where=where,
        utterances=counts.utterances,
        hours=counts.hours,
        bytes=sum(look.st_size for look in looks.values()),
        shards=len(looks),
        newest=datetime.fromtimestamp(max(look.st_mtime for look in looks.values()), UTC),
        damaged=counts.damaged,
        superfluous=counts.superfluous,
        licence=counts.licence,
    )


def _count(
    contents: Contents,
    folder: Path,
    key: FeatureKey,
    corpus: str,
    paths: Sequence[Path],
    seconds: Mapping[str, float] | None,
) -> _Counts:
    with known_indices([folder], key, corpus) as read:
        looked_at = contents.look_at(paths, key, read)
    shards = [index for index in looked_at.values() if index is not None]
    held = {utterance for index in shards for utterance in index.utterances}
    licences = {index.provenance.get("licence", "") for index in shards} - {""}
    return _Counts(
        utterances=len(held),
        hours=None if seconds is None else _hours(held, seconds),
        damaged=len(looked_at) - len(shards),
        superfluous=len(superfluous(shards)),
        licence="; ".join(sorted(licences)) or None,
    )


def _hours(held: Set[str], seconds: Mapping[str, float]) -> float:
    """Of the utterances that are held, as far as it is known."""
    whole = held == seconds.keys()  # as mostly, and found out in a tenth of the time
    return fsum(seconds.values() if whole else (seconds.get(name, 0) for name in held)) / 3600


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None
