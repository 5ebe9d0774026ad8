"""What a place holds, and whether every byte of it is right."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import CorruptShardError, InputError
from ..keys import FeatureKey
from ..verify import check_shard
from .diff import index_at
from .labels import manifest_at
from .place import Place, by_feature, not_empty, offer


@dataclass(frozen=True)
class RemoteHolding:
    """What a place holds of one feature and one corpus.

    Attributes:
        feature: as its key says; the name of its folder where there is none.
        key: its hash.
        shards, bytes: how many; of all files whose size is known.
    """

    corpus: str
    feature: str
    key: str
    shards: int
    bytes: int


def list_place(place: Place) -> list[RemoteHolding]:
    """What a place holds, by corpus and feature; no shard is opened.

    Raises:
        SerError: it cannot be read.
    """
    sums = by_feature(offer(place).shards)
    features = {folder: _feature(place, folder) for folder in {folder for _, folder in sums}}
    return [
        RemoteHolding(corpus, features[folder], folder.rpartition("-")[2], count, total)
        for (corpus, folder), (count, total) in sums.items()
    ]


def verify_place(
    place: Place, quick: bool, progress: Callable[[int, int], None] | None = None
) -> tuple[int, list[str]]:
    """Check all that a place holds: how many shards were looked at, and what is wrong.

    Args:
        quick: names, indices and manifests, and no rows; else every shard is fetched, checked and
            forgotten.
        progress: called with shards done and shards in all.

    Raises:
        InputError: there is nothing.
        SerError: the place cannot be reached.
    """
    offered, problems = not_empty(place, offer(place)), []
    for number, (name, size) in enumerate(offered.shards.items()):
        if progress is not None:
            progress(number, len(offered.shards))
        try:
            _check(place, name, size, quick)
        except CorruptShardError as error:
            problems.append(f"{name}: {error}")
    for corpus in offered.corpora:
        try:
            manifest_at(place, corpus)
        except InputError as error:
            problems.append(str(error))
    return len(offered.shards), problems


def _check(place: Place, name: str, size: int | None, quick: bool) -> None:
    if quick:
        if index_at(place, name, size) is None:
            raise CorruptShardError("it was never finished")
        return
    with tempfile.TemporaryDirectory(prefix="ser-") as folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True)
        place.receive(name, size, path, lambda count: None)
        try:
            check_shard(path)
        except CorruptShardError as error:
            reason = str(error).removeprefix(f"{path}: ").partition(". Delete this file")[0]
            raise CorruptShardError(reason) from None


def _feature(place: Place, folder: str) -> str:
    data = place.read(f"features/{folder}/key.json")
    try:
        return FeatureKey.from_json((data or b"").decode()).feature
    except (InputError, UnicodeDecodeError):
        return folder
