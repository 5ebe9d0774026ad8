"""Gathering features as they are computed, and publishing them shard by shard."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..files import atomic_text
from .access import check_own, check_writable, enough_memory, write_error
from .folders import remove_leftovers
from .keys import FeatureKey
from .publish import write_shard

if TYPE_CHECKING:
    from ..manifests import Manifest

SHARD_UTTERANCES = 1024
SHARD_BYTES = 256 << 20
SHARD_SECONDS = 60.0
LICENCE = "LICENCE.txt"
"""Name of the file beside the shards that says under which licence they are."""


@dataclass(frozen=True)
class Utterances:
    """What features are written of.

    Attributes:
        manifest_id: of the manifest that they are extracted for.
        hashes: of the audio of utterances, by their ids; more may come while features are written.
    """

    corpus: str
    manifest_id: str
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Those of a manifest."""
        columns = (manifest.table[name].tolist() for name in ("id", "audio_hash"))
        return cls(manifest.corpus, manifest.id, dict(zip(*columns, strict=True)))


class ShardWriter:
    """Adds features of one key and one corpus to a cache; a context manager, for one thread.

    A shard is published whenever 1024 utterances, 256 MB or 60 seconds of work have gathered, and
    at the end, also when the end is an exception: what was computed is kept. Several processes may
    write into one cache at the same time.

    Raises:
        SerError: on entry, when the cache cannot be written; later, when the disk is full. Shards
            published before stay whole.
    """

    def __init__(
        self, folder: Path, key: FeatureKey, utterances: Utterances, provenance: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._key = key
        self._utterances = utterances
        self._provenance = dict(provenance)
        self._pending: dict[str, npt.NDArray[np.floating[Any]]] = {}
        self._added: set[str] = set()
        self._bytes = 0
        self._since = 0.0

    def __enter__(self) -> Self:
        cache = self._folder.parents[1]
        check_own(self._folder, cache)
        check_writable(self._folder)
        remove_leftovers(cache)
        self._provenance = {**_versions(), **self._provenance}
        return self

    def __exit__(self, *_: object) -> None:
        self.publish()

    def add(self, id: str, features: npt.ArrayLike) -> None:
        """Add one utterance.

        Args:
            id: of an utterance of the manifest.
            features: as `as_stored` takes them.

        Raises:
            InputError: no such utterance, added before, or as `as_stored`. The writer can go on.
            SerError: a shard was due and could not be written.
        """
        name = f"{self._key.feature} of {self._utterances.corpus}, utterance {id}"
        if id not in self._utterances.hashes:
            raise InputError(f"{name}: not in the manifest")
        if id in self._added:
            raise InputError(f"{name}: added twice")
        rows = as_stored(name, self._key, features)
        self._added.add(id)
        if not self._pending:
            self._since = time.monotonic()
        self._pending[id] = rows
        self._bytes += rows.nbytes
        if (
            len(self._pending) >= SHARD_UTTERANCES
            or self._bytes >= SHARD_BYTES
            or time.monotonic() - self._since >= SHARD_SECONDS
        ):
            self.publish()

    @property
    def pending(self) -> int:
        """Utterances that were added and are not published yet."""
        return len(self._pending)

    def publish(self) -> None:
        """Write what has gathered as one shard now; nothing where nothing has.

        Raises:
            SerError: it cannot be written; what had gathered since the last shard is lost.
        """
        if not self._pending:
            return
        # Sorted as the manifest is: what is read in its order lies in one piece then.
        pending = dict(sorted(self._pending.items()))
        self._pending, self._bytes = {}, 0
        of = self._utterances
        with enough_memory(f"{self._key.feature} of {of.corpus}"):
            write_shard(
                self._folder,
                self._key,
                of.corpus,
                of.manifest_id,
                self._provenance,
                list(pending),
                [of.hashes[id] for id in pending],
                list(pending.values()),
            )
        describe(self._folder, self._key, self._provenance)


def describe(folder: Path, key: FeatureKey, provenance: Mapping[str, str]) -> None:
    """Lay down what people read beside the shards of a feature folder, which carry it too.

    After them: a folder in which there is something is not removed.

    Raises:
        SerError: it cannot be written.
    """
    texts = {"key.json": key.to_json()}
    if provenance.get("licence"):
        texts[LICENCE] = licence_text(key, provenance["licence"])
    try:
        for name, text in texts.items():
            if not os.path.lexists(folder / name):
                atomic_text(folder / name, text)
    except OSError as error:
        raise write_error(folder, error) from error


def as_stored(name: str, key: FeatureKey, features: npt.ArrayLike) -> npt.NDArray[np.floating[Any]]:
    """What a shard holds of a feature of one utterance: a copy, (T, dim), in the key's dtype.

    Args:
        name: of it, for messages.
        features: floats, (T, dim) with T >= 1 for a sequence, (dim,) for a vector.

    Raises:
        InputError: wrong shape or type, a value that is not finite or does not fit into the dtype.
    """
    given = np.asarray(features)
    if given.dtype.kind != "f":
        raise InputError(f"{name}: expected floats, got {given.dtype}")
    if key.kind == "vector":
        if given.shape != (key.dim,):
            raise InputError(f"{name}: expected shape ({key.dim},), got {given.shape}")
    elif given.ndim != 2 or given.shape[1] != key.dim or not len(given):
        raise InputError(f"{name}: expected shape (T, {key.dim}), T >= 1, got {given.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        # Always a copy: the caller's array may be a view of something much larger.
        rows: npt.NDArray[np.floating[Any]] = np.array(given, key.dtype, order="C", ndmin=2)
    if not np.isfinite(rows).all():
        if np.isfinite(given).all():
            top = np.abs(given).max()
            raise InputError(f"{name}: {top:.6g} does not fit into {key.dtype}")
        count = int((~np.isfinite(given)).sum())
        raise InputError(f"{name}: {count} of {given.size} values are not finite")
    return rows


def licence_text(key: FeatureKey, licence: str) -> str:
    """What lies beside features, for whoever copies them: under which terms they are."""
    return (
        f"Feature: {key.feature} ({key.hash})\n"
        f"Licence: {licence}\n"
        "\n"
        "The features in this folder were computed by software, and from weights where it has\n"
        "any, under this licence; whoever passes them on passes on its terms. The recordings that\n"
        "they were computed from have terms of their own: see the page of each corpus.\n"
    )


def _versions() -> dict[str, str]:
    import h5py

    from .. import __version__

    return {
        "ser": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
    }
