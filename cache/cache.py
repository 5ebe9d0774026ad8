"""The cache: folders of features that a team shares, merges by copying, and may only read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from . import remedy
from .access import check_own, check_writable, enough_memory
from .collection import Collection, collect
from .contents import Contents, utterances_of
from .features import Features, StoredFeatures
from .find import find
from .folders import Problem, default_cache_folders
from .holdings import Holding, list_holdings
from .keys import FeatureKey
from .removal import Removal, find_corpus, find_removal, find_shared
from .verify import VerifyReport, verify
from .writer import ShardWriter, Utterances

if TYPE_CHECKING:
    from ..manifests import Manifest


class Cache:
    """A cache: a folder of one's own, and shared ones below it that are only read.

    Reading looks into all of them, as if all were copied into one; what is written or removed is
    so in the first. Nothing is created or opened before it is needed; reading never writes.

    `store_manifest` puts a manifest into it.

    Args:
        folder: need not exist.
        shared: others, the nearest first; each must be there whenever the cache is looked at.

    Raises:
        InputError: a folder is given twice, or lies in another.
    """

    def __init__(self, folder: Path | str, *shared: Path | str) -> None:
        self._contents = Contents([Path(folder), *map(Path, shared)])

    @classmethod
    def of(cls, given: Cache | Path | str | None = None) -> Cache:
        """The cache that a user gives: one, or its folder; None: those of `SER_CACHE`, or the
        user's.

        Raises:
            InputError: `SER_CACHE` names no folders, or as the class.
        """
        if isinstance(given, Cache):
            return given
        return cls(*([Path(given).expanduser()] if given else default_cache_folders()))

    def __repr__(self) -> str:
        return f"Cache({', '.join(repr(str(folder)) for folder in self.folders)})"

    def __str__(self) -> str:
        return str(self._contents)

    @property
    def folder(self) -> Path:
        """The one that is written."""
        return self._contents.folder

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of them, the one that is written first."""
        return self._contents.folders

    # What is here

    def corpora(self) -> list[str]:
        """Names of the corpora whose manifest is here, sorted.

        Raises:
            SerError: the manifests are behind a link, or cannot be listed.
        """
        return self._contents.corpora()

    def manifest(self, corpus: str) -> Manifest:
        """The manifest that goes with the features of `corpus`.

        Raises:
            InputError: no corpus can have that name.
            MissingFeaturesError: none is here.
            InputError: it is not a valid manifest.
        """
        from ..manifests import check_corpus_name

        check_corpus_name(corpus)
        if corpus not in self.corpora():  # also keeps "../x" from ever becoming a path
            raise remedy.no_manifest(self._contents, corpus)
        return self._contents.manifest(corpus)

    def owns_manifest(self, corpus: str) -> bool:
        """Whether the manifest of `corpus` lies in the folder that is written, not in a shared one.

        Raises:
            SerError: as `corpora`.
        """
        return corpus in self._contents.own().corpora()

    def keys(self) -> list[FeatureKey]:
        """Keys of the features that are here, by feature and hash.

        Folders that are damaged, foreign or not to be read are left out: see `left_out`.

        Raises:
            SerError: the cache cannot be listed.
        """
        return self._contents.feature_keys()

    def left_out(self) -> list[Problem]:
        """Feature folders that cannot be used: a foreign key.json, a link, no right to read it.

        Raises:
            SerError: the cache cannot be listed.
        """
        return self._contents.left_out()

    def listing(self) -> list[Holding]:
        """What is here, by corpus, feature, key and folder; but for what is `left_out`.

        Raises:
            SerError: the cache cannot be listed.
        """
        return list_holdings(self._contents)

    def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        workers: int | None = None,
        quick: bool = False,
    ) -> VerifyReport:
        """Check every byte: shards against name, index and row checksums; keys; manifests.

        Args:
            progress: called with the bytes done and the bytes in all.
            workers: shards that are checked at once; None: one for each core.
            quick: leave out the rows of the shards, which are nearly all of their bytes, and the
                hash in their names.

        Raises:
            InputError: a shared folder is not there, one is no folder, or there are no workers.
        """
        return verify(self._contents.layers(), progress, workers, quick)

    # Reading

    def resolve_all(self, features: Sequence[str], manifest: Manifest) -> dict[str, FeatureKey]:
        """`resolve` for several features, by name; the message names all that are missing.

        Raises:
            MissingFeaturesError, InputError: as `resolve`.
        """
        counts: dict[str, dict[FeatureKey, int]] = {}
        for feature in features:
            keys = self._contents.matching(feature)
            held = {key: len(manifest) - len(self.missing(key, manifest)) for key in keys}
            counts[feature] = {key: count for key, count in held.items() if count}
        if absent := [feature for feature, held in counts.items() if not held]:
            raise remedy.not_cached(self._contents, absent, manifest)
        resolved = {}
        for feature, held in counts.items():
            whole = [key for key, count in held.items() if count == len(manifest)]
            keys = list(held) if len(held) == 1 else whole
            if len(keys) != 1:
                choices = ", ".join(
                    f"{key.short} ({count} of {len(manifest)} utterances)"
                    for key, count in held.items()
                )
                raise InputError(
                    f"{feature} of {manifest.corpus} is in the cache {self} in several "
                    f"versions. Name one of: {choices}"
                )
            resolved[feature] = keys[0]
        return resolved

    def resolve(self, feature: str, manifest: Manifest) -> FeatureKey:
        """Find the one key here that `feature` can mean for the utterances of `manifest`.

        Args:
            feature: a spec, such as `mfcc`, or spec and first digits of the key's hash: `mfcc@3f`.

        Raises:
            MissingFeaturesError: no utterance of the manifest has such a feature here.
            InputError: several keys fit, and not exactly one covers the whole manifest.
        """
        return self.resolve_all([feature], manifest)[feature]

    def missing(self, key: FeatureKey, manifest: Manifest) -> list[str]:
        """Ids of the utterances that have no such feature here, in the order of the manifest.

        Reads the index of each shard of the corpus, not its rows.

        Raises:
            CorruptShardError: the index of a shard of this key and corpus is damaged.
        """
        with enough_memory(f"{key.feature} of {manifest.corpus}"):
            shards = self._contents.indices(key, manifest.corpus)
            held = [utterance for index in shards for utterance in index.utterances]
            absent = np.flatnonzero(find(utterances_of(manifest), held) < 0)
        return manifest.ids_at(absent)

    def shard_names(self, key: FeatureKey, corpus: str, fresh: bool = True) -> frozenset[str]:
        """Names of the shards of a feature that have come where it is written.

        Args:
            fresh: also those that came to a place far away since it was last asked.
        """
        return self._contents.shard_names(key, corpus)

    def held_by(self, key: FeatureKey, corpus: str, names: Iterable[str]) -> list[str]:
        """What some of `shard_names` hold, as `utterances_of` has it; nothing of what is damaged,
        or gone."""
        paths = [self.feature_folder(key) / name for name in names]
        indices = self._contents.look_at(paths, key).values()
        return [each for index in indices if index for each in index.utterances]

    def open(self, key: FeatureKey, manifest: Manifest) -> StoredFeatures:
        """Find a feature of all utterances of a manifest, and read none yet.

        Reads the index of each shard of the corpus. For single utterances, in any order; each is
        checked when it is read.

        Raises:
            MissingFeaturesError: some utterance is not here; the message names the command.
            CorruptShardError: the index of a shard of this key and corpus is damaged.
        """
        shards = self._contents.indices(key, manifest.corpus)
        held = [utterance for index in shards for utterance in index.utterances]
        rows = find(utterances_of(manifest), held)  # the first shard by name wins
        if absent := manifest.ids_at(np.flatnonzero(rows < 0)):
            raise remedy.incomplete(self._contents, key, manifest, absent)
        return StoredFeatures(key, manifest.ids, shards, rows, lambda: self.open(key, manifest))

    def read(self, key: FeatureKey, manifest: Manifest, mapped: bool = False) -> Features:
        """Load a feature for all utterances of a manifest; every row's checksum is verified.

        Args:
            mapped: do not keep the rows in memory; for features that do not fit there. They are
                the shard itself, mapped, where one shard holds the utterances one after the other
                in the order of the manifest. Otherwise they are copied to a temporary file, which
                takes their size on the disk of `tempfile.gettempdir()` for as long as they are
                used.

        Raises:
            MissingFeaturesError: some utterance is not here; the message names the command.
            CorruptShardError: a shard is damaged. No damaged row is ever returned.
            SerError: a shard or the temporary file cannot be opened.
        """
        return self.open(key, manifest).read(mapped)

    # Writing

    def check_writable(self) -> None:
        """Create the cache folder if need be and prove that it can be written, before any work.

        Raises:
            SerError: it cannot.
        """
        check_own(self.folder / "features", self.folder)
        check_writable(self.folder)
        check_writable(self.folder / "features")

    def feature_folder(self, key: FeatureKey) -> Path:
        """Where the shards of `key` are written."""
        return self._contents.feature_folder(key)

    def write(
        self,
        key: FeatureKey,
        manifest: Manifest | Utterances,
        provenance: Mapping[str, str] | None = None,
    ) -> ShardWriter:
        """Start to add features of `key` for utterances of `manifest`; a context manager.

        Args:
            manifest: or what a writer must know of it.
            provenance: versions of further software that computes the feature, and its `licence`;
                kept in the shards beside the versions of ser, Python, numpy and HDF5, and not part
                of the key.
        """
        utterances = manifest if isinstance(manifest, Utterances) else Utterances.of(manifest)
        return ShardWriter(self._contents.feature_folder(key), key, utterances, provenance or {})

    def removal(self, feature: str, corpus: str | None = None) -> Removal:
        """The shards of one feature, of one corpus or of all, that are here to be removed.

        Args:
            feature: a spec, such as `mfcc`, or spec and first digits of the key's hash: `mfcc@3f`.

        Raises:
            InputError: nothing in the folder that is written fits, or several keys do.
        """
        return find_removal(self._contents, feature, corpus)

    def removals(self, corpus: str) -> list[Removal]:
        """The shards of all features of one corpus that are here to be removed, by feature.

        Raises:
            InputError: none is in the folder that is written.
            SerError: the cache cannot be listed.
        """
        return find_corpus(self._contents, corpus)

    def shared_with(self, keys: Iterable[FeatureKey], corpus: str | None = None) -> list[Path]:
        """The shared folders that hold one of some features, of one corpus or of any.

        Raises:
            SerError: they cannot be listed.
        """
        return find_shared(self._contents, keys, corpus)

    def remove(self, feature: str, corpus: str | None = None) -> Removal:
        """Carry out the `removal` of one feature; returns what was removed. Manifests stay.

        Who reads or writes meanwhile is not hurt: what is written after this began stays.

        Raises:
            InputError: nothing here fits, or several keys do.
            SerError: the cache cannot be written.
        """
        return self.removal(feature, corpus).carry_out()

    def collect(
        self, dry_run: bool = False, checking: Callable[[Path], None] = lambda path: None
    ) -> Collection:
        """Remove shards that hold nothing that others do not; merge small ones; sweep leftovers.

        Reading gives the same bytes afterwards, and meanwhile. Several processes may do this at
        once, and each may be ended at any time. Shared folders stay as they are, and what they hold
        is kept here too, for they may go away. Merging needs room for the small shards of a feature
        and corpus once more.

        Args:
            dry_run: only say what would be removed and merged.
            checking: called with each shard whose bytes are checked before another goes.

        Raises:
            SerError: the cache cannot be listed, or not written.
        """
        return collect(self._contents, dry_run, checking)
