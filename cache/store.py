"""The cache: a folder of features that a team shares, merges by copying, and may only read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, MissingFeaturesError, SerError
from . import layout
from .access import check_own, check_writable, enough_memory, write_error
from .features import Features, StoredFeatures
from .folders import (
    Problem,
    entries,
    may_be_file,
    read_keys,
    read_manifest,
    remove_leftovers,
    shard_files,
)
from .holdings import Holding, look_at
from .indices import Indices
from .keys import FeatureKey, slug
from .remedy import extract_command
from .removal import Collection, Removal, collect
from .verify import VerifyReport, verify
from .writer import ShardWriter

if TYPE_CHECKING:
    from ..manifests import Manifest


class Cache:
    """A cache folder. Nothing is created or opened before it is needed; reading never writes.

    Args:
        folder: need not exist; see `default_cache_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._indices = Indices()

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r})"

    # Manifests

    def corpora(self) -> list[str]:
        """Names of the corpora whose manifest is here, sorted.

        Raises:
            SerError: the manifests are behind a link, or cannot be listed.
        """
        folder = self.folder / "manifests"
        check_own(folder, self.folder)
        return [
            path.stem
            for path in entries(folder)
            if path.suffix == ".csv" and layout.CORPUS.fullmatch(path.stem) and may_be_file(path)
        ]

    def manifest(self, corpus: str) -> Manifest:
        """The manifest that goes with the features of `corpus`.

        Raises:
            InputError: no corpus can have that name.
            MissingFeaturesError: none is here.
            InputError: it is not a valid manifest.
        """
        from ..manifests import check_corpus_name

        known = self.corpora()
        check_corpus_name(corpus)
        if corpus not in known:  # also keeps "../x" from ever becoming a path
            raise MissingFeaturesError(
                f"no manifest of {corpus} in the cache {self.folder} (there: "
                f"{', '.join(known) or 'none'}). Run: {self._command(corpus)}"
            )
        return read_manifest(self._manifest_path(corpus))

    def save_manifest(self, manifest: Manifest) -> None:
        """Put the labels beside the features, in place of earlier ones.

        Raises:
            SerError: the cache cannot be written.
        """
        path = self._manifest_path(manifest.corpus)
        check_own(path.parent, self.folder)
        check_writable(path.parent)
        remove_leftovers(self.folder)
        try:
            manifest.save(path)
        except OSError as error:
            raise write_error(path.parent, error) from error

    # Features

    def keys(self) -> list[FeatureKey]:
        """Keys of the features that are here, by feature and hash.

        Folders that are damaged, foreign or not to be read are left out: see `left_out`.

        Raises:
            SerError: the cache cannot be listed.
        """
        return read_keys(self.folder)[0]

    def left_out(self) -> list[Problem]:
        """Feature folders that cannot be used: a foreign key.json, a link, no right to read it.

        Raises:
            SerError: the cache cannot be listed.
        """
        return read_keys(self.folder)[1]

    def resolve_all(self, features: Sequence[str], manifest: Manifest) -> dict[str, FeatureKey]:
        """`resolve` for several features, by name; the message names all that are missing.

        Raises:
            MissingFeaturesError, InputError: as `resolve`.
        """
        absent = [name for name in features if not self._found(name, manifest)]
        if absent:
            raise MissingFeaturesError(self._nothing_cached(absent, manifest))
        return {name: self.resolve(name, manifest) for name in features}

    def resolve(self, feature: str, manifest: Manifest) -> FeatureKey:
        """Find the one key here that `feature` can mean for the utterances of `manifest`.

        Args:
            feature: a spec, such as `mfcc`, or spec and first digits of the key's hash: `mfcc@3f`.

        Raises:
            MissingFeaturesError: no utterance of the manifest has such a feature here.
            InputError: several keys fit, and not exactly one covers the whole manifest.
        """
        found = self._found(feature, manifest)
        if not found:
            raise MissingFeaturesError(self._nothing_cached([feature], manifest))
        whole = [(key, count) for key, count in found if count == len(manifest)]
        if len(found) == 1 or len(whole) == 1:
            return (whole or found)[0][0]
        choices = ", ".join(
            f"{_versioned(key)} ({count} of {len(manifest)} utterances)" for key, count in found
        )
        raise InputError(
            f"{feature} of {manifest.corpus} is in the cache {self.folder} in several versions. "
            f"Name one of: {choices}"
        )

    def missing(self, key: FeatureKey, manifest: Manifest) -> list[str]:
        """Ids of the utterances that have no such feature here, in the order of the manifest.

        Reads the index of each shard of the corpus, not its rows.

        Raises:
            CorruptShardError: the index of a shard of this key and corpus is damaged.
        """
        held: set[str] = set()
        with enough_memory(f"{key.feature} of {manifest.corpus}"):
            for index in self._indices.of(self._folder(key), key, manifest.corpus):
                held.update(index.utterances)
        wanted = zip(manifest.table["id"].tolist(), _utterances(manifest), strict=True)
        return [id for id, utterance in wanted if utterance not in held]

    def open(self, key: FeatureKey, manifest: Manifest) -> StoredFeatures:
        """Find a feature of all utterances of a manifest, and read none yet.

        Reads the index of each shard of the corpus. For single utterances, in any order; each is
        checked when it is read.

        Raises:
            MissingFeaturesError: some utterance is not here; the message names the command.
            CorruptShardError: the index of a shard of this key and corpus is damaged.
        """
        shards = self._indices.of(self._folder(key), key, manifest.corpus)
        behind = sum(map(len, shards))
        places: dict[str, int] = {}
        for index in reversed(shards):  # so that the first shard by name wins
            first = behind - len(index)
            places.update(zip(index.utterances, range(first, behind), strict=True))
            behind = first
        ids = manifest.table["id"].tolist()
        rows = [places.get(utterance, -1) for utterance in _utterances(manifest)]
        absent = [id for id, row in zip(ids, rows, strict=True) if row < 0]
        if absent:
            names = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
            raise MissingFeaturesError(
                f"{_versioned(key)} of {manifest.corpus}: {len(absent)} of {len(manifest)} "
                f"utterances are not in the cache {self.folder} ({names}). "
                f"Run: {self._command(manifest.corpus, key.feature)}\n"
                "If their audio cannot give it, `ser train --skip-missing` does without them."
            )
        find = lambda: self.open(key, manifest)  # noqa: E731
        return StoredFeatures(key, ids, shards, np.array(rows), find)

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

    def check_writable(self) -> None:
        """Create the cache folder if need be and prove that it can be written, before any work.

        Raises:
            SerError: it cannot.
        """
        check_own(self.folder / "features", self.folder)
        check_writable(self.folder)
        check_writable(self.folder / "features")

    def write(
        self, key: FeatureKey, manifest: Manifest, provenance: Mapping[str, str] | None = None
    ) -> ShardWriter:
        """Start to add features of `key` for utterances of `manifest`; a context manager.

        Args:
            provenance: versions of further software that computes the feature, and its `licence`;
                kept in the shards beside the versions of ser, Python, numpy and HDF5, and not part
                of the key.
        """
        folder = self.folder / "features" / key.folder
        return ShardWriter(folder, key, manifest, provenance or {})

    # The whole cache

    def verify(self, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
        """Check every byte: shards against name, index and row checksums; keys; manifests.

        Args:
            progress: called with the bytes done and the bytes in all.
        """
        return verify(self.folder, progress)

    def listing(self) -> list[Holding]:
        """What is here, by feature, key and corpus; but for what is `left_out`.

        Raises:
            SerError: the cache cannot be listed.
        """
        seconds = lru_cache(None)(self._seconds)  # a manifest takes longer than all the rest
        found = [
            look_at(key, corpus, paths, self._indices, seconds(corpus))
            for key in self.keys()
            for corpus, paths in self._by_corpus(key).items()
        ]
        return [holding for holding in found if holding is not None]

    def removal(self, feature: str, corpus: str | None = None) -> Removal:
        """The shards of one feature, of one corpus or of all, that are here to be removed.

        Args:
            feature: a spec, such as `mfcc`, or spec and first digits of the key's hash: `mfcc@3f`.

        Raises:
            InputError: nothing here fits, or several keys do.
        """
        keys = [
            key
            for key in self._matching(feature)
            if corpus is None or corpus in self._by_corpus(key)
        ]
        if len(keys) != 1:
            what = feature if corpus is None else f"{feature} of {corpus}"
            problem = "is there in several versions" if keys else "is not there"
            here = ", ".join(map(_versioned, keys or self.keys())) or "nothing"
            raise InputError(
                f"{what} {problem}. The cache {self.folder} holds: {here}{self._unusable()}"
            )
        folder = self._folder(keys[0])
        return Removal.of(keys[0], folder, shard_files(folder, corpus))

    def remove(self, feature: str, corpus: str | None = None) -> Removal:
        """Remove the shards of one feature, of one corpus or of all. Manifests stay.

        Who reads or writes meanwhile is not hurt: what is written after this began stays.

        Args:
            as `removal`.

        Returns:
            What was removed.

        Raises:
            InputError: nothing here fits, or several keys do.
            SerError: the cache cannot be written.
        """
        return self.removal(feature, corpus).carry_out()

    def collect(
        self, dry_run: bool = False, checking: Callable[[Path], None] = lambda path: None
    ) -> Collection:
        """Remove shards that hold nothing that others do not, and leftovers of killed writers.

        Reading gives the same bytes afterwards, and meanwhile.

        Args:
            dry_run: only say what would be removed.
            checking: called with each shard whose bytes are checked before another goes.

        Raises:
            SerError: the cache cannot be listed, or not written.
        """
        return collect(self.folder, self._indices, dry_run, checking)

    # Helpers

    def _folder(self, key: FeatureKey) -> Path:
        return self.folder / "features" / key.folder

    def _manifest_path(self, corpus: str) -> Path:
        return self.folder / "manifests" / f"{corpus}.csv"

    def _by_corpus(self, key: FeatureKey) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in shard_files(self._folder(key)):
            found.setdefault(path.stem.rsplit("-", 1)[0], []).append(path)
        return found

    def _matching(self, feature: str) -> list[FeatureKey]:
        keys = self.keys()
        exact = [key for key in keys if key.feature == feature]
        name, _, prefix = feature.rpartition("@")
        if exact or not name or not prefix:
            return exact
        return [key for key in keys if key.feature == name and key.hash.startswith(prefix)]

    def _found(self, feature: str, manifest: Manifest) -> list[tuple[FeatureKey, int]]:
        """Keys that `feature` can mean, with how many utterances of the manifest they have."""
        counts = [(key, self._count(key, manifest)) for key in self._matching(feature)]
        return [(key, count) for key, count in counts if count]

    def _count(self, key: FeatureKey, manifest: Manifest) -> int:
        return len(manifest) - len(self.missing(key, manifest))

    def _seconds(self, corpus: str) -> dict[str, float] | None:
        """Of the audio of each utterance, by what it is found by, where a manifest says so."""
        try:
            manifest = self.manifest(corpus)
        except SerError:
            return None  # `verify` says why
        durations = manifest.table["duration"].tolist()
        return dict(zip(_utterances(manifest), durations, strict=True))

    def _nothing_cached(self, features: Sequence[str], manifest: Manifest) -> str:
        corpus = manifest.corpus
        specs = [feature.partition("@")[0] for feature in features]
        here = ", ".join(
            f"{_versioned(key)} ({self._counted(key, manifest)})"
            for key in self.keys()
            if corpus in self._by_corpus(key)
        )
        text = (
            f"{', '.join(features)} of {corpus}: not in the cache {self.folder} (there for "
            f"{corpus}: {here or 'nothing'}){self._unusable()}. "
        )
        slugs = {slug(spec) for spec in specs}
        for problem in self.left_out():
            folder = problem.path.relative_to(self.folder / "features").parts[0]
            if folder.rpartition("-")[0] in slugs:  # extracting it again would change nothing
                return f"{text}{problem}"
        return f"{text}Run: {self._command(corpus, ','.join(specs))}"

    def _counted(self, key: FeatureKey, manifest: Manifest) -> str:
        try:
            return f"{self._count(key, manifest)} of {len(manifest)} utterances"
        except SerError:
            return "damaged"

    def _unusable(self) -> str:
        """What of the cache cannot be used, to be said where something is not found."""
        folders = ", ".join(
            str(problem.path.relative_to(self.folder)) for problem in self.left_out()
        )
        return f"; not to be used: {folders}, see `ser cache verify`" if folders else ""

    def _command(self, corpus: str, features: str | None = None) -> str:
        manifest = self._manifest_path(corpus) if corpus in self.corpora() else None
        return extract_command(self.folder, corpus, manifest, features)


def _utterances(manifest: Manifest) -> list[str]:
    """What the utterances are found by, in the order of the manifest."""
    table = manifest.table
    return layout.utterances(table["id"].tolist(), table["audio_hash"].tolist())


def _versioned(key: FeatureKey) -> str:
    return f"{key.feature}@{key.hash[:8]}"
