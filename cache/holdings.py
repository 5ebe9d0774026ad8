"""What a cache holds, folder by folder, and what people call it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import fsum
from pathlib import Path

from ..errors import SerError
from .contents import Contents, read_durations
from .holders import superfluous
from .keys import FeatureKey, Scalar
from .known_indices import known_indices


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
        _look_at(contents, key, corpus, where, folder, paths, seconds(corpus))
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


def _look_at(
    contents: Contents,
    key: FeatureKey,
    corpus: str,
    where: str,
    folder: Path,
    paths: Sequence[Path],
    seconds: Mapping[str, float] | None,
) -> Holding | None:
    """What some shards of one feature and corpus hold; None where all are gone by now."""
    with known_indices([folder], key, corpus) as read:
        looked_at = contents.look_at(paths, key, read)
    files = [file for file in map(_status, looked_at) if file is not None]
    if not files:
        return None
    shards = [index for index in looked_at.values() if index is not None]
    held = {utterance for index in shards for utterance in index.utterances}
    licences = {index.provenance.get("licence", "") for index in shards} - {""}
    return Holding(
        key=key,
        corpus=corpus,
        where=where,
        utterances=len(held),
        hours=None if seconds is None else _hours(held, seconds),
        bytes=sum(file.st_size for file in files),
        shards=len(looked_at),
        newest=datetime.fromtimestamp(max(file.st_mtime for file in files), UTC),
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
