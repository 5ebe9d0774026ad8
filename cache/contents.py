"""What lies in the folders of a cache: keys, shards, their indices, manifests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CorruptShardError, InputError, SerError
from ..files import open_regular, read_regular
from . import layout
from .access import GoneError, check_own, read_error
from .folders import (
    Problem,
    check_apart,
    check_shared,
    entries,
    feature_folders,
    may_be_file,
    shard_files,
)
from .keys import MAX_KEY_BYTES, FeatureKey
from .known_indices import Read, known_indices
from .shard import ShardIndex, read_index

if TYPE_CHECKING:
    from ..manifests import Manifest

LOOKS = 3
"""How often a folder is listed anew where files vanish between listing and opening."""


class Contents:
    """Looks at the folders of a cache anew each time; but the indices of shards, which never
    change, and manifests are read once for as long as the files look the same.

    Args:
        folders: the first is written, and need not exist; the others are shared, and only read.

    Raises:
        InputError: one is given twice, or lies in another.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        if len(self.folders) > 1:
            check_apart(self.folders)
        self._indices: dict[Path, tuple[int, int, ShardIndex | None]] = {}
        self._manifests: dict[Path, tuple[tuple[int, int, int], Manifest]] = {}

    def __str__(self) -> str:
        """The folders as `SER_CACHE` takes them."""
        return os.pathsep.join(map(str, self.folders))

    @property
    def folder(self) -> Path:
        """The one that is written."""
        return self.folders[0]

    def own(self) -> Contents:
        """What lies in the folder that is written, without the shared ones."""
        return Contents(self.folders[:1])

    def layers(self) -> Iterator[Path]:
        """The folders; errors as of `check_shared` where one of the shared ones is not there."""
        for number, folder in enumerate(self.folders):
            if number:
                check_shared(folder)
            yield folder

    def relative(self, path: Path) -> Path:
        """A path in one of the folders, from there on."""
        return next(path.relative_to(each) for each in self.folders if path.is_relative_to(each))

    def feature_keys(self) -> list[FeatureKey]:
        """The keys of all feature folders but those that are `left_out`, by feature and hash."""
        return self._keys()[0]

    def left_out(self) -> list[Problem]:
        """What is wrong with the feature folders that cannot be used."""
        return self._keys()[1]

    def _keys(self) -> tuple[list[FeatureKey], list[Problem]]:
        keys, left_out = set(), []
        for folder in [folder for layer in self.layers() for folder in feature_folders(layer)]:
            try:
                entries(folder, folder.parents[1])
                key = read_key(folder)
            except GoneError:
                continue
            except SerError as error:
                left_out.append(Problem.of(folder, error))
                continue
            if key is not None:
                keys.add(key)
        return sorted(keys, key=lambda key: (key.feature, key.hash)), left_out

    def matching(self, feature: str) -> list[FeatureKey]:
        """The keys that are meant by a spec, or by a spec and first digits of a hash: `mfcc@3f`."""
        keys = self.feature_keys()
        exact = [key for key in keys if key.feature == feature]
        spec, _, digits = feature.rpartition("@")
        if exact or not spec or not digits:
            return exact
        return [key for key in keys if key.feature == spec and key.hash.startswith(digits)]

    def feature_folder(self, key: FeatureKey) -> Path:
        """Where the shards of a key are written."""
        return self.folder / "features" / key.folder

    def shards(self, key: FeatureKey, folder: Path | None = None) -> dict[str, list[Path]]:
        """The shards of a key by corpus, each by name: those in one of the folders, or in all."""
        by_corpus: dict[str, list[Path]] = {}
        files = shard_files(folder / "features" / key.folder) if folder else self._shard_files(key)
        for path in files:
            by_corpus.setdefault(layout.corpus_of(path.name), []).append(path)
        return by_corpus

    def _shard_files(self, key: FeatureKey, corpus: str | None = None) -> list[Path]:
        """Those of all folders by name; what has one name is the same, and the first counts."""
        by_name: dict[str, Path] = {}
        for layer in self.layers():
            for path in shard_files(layer / "features" / key.folder, corpus):
                by_name.setdefault(path.name, path)
        return [by_name[name] for name in sorted(by_name)]

    def shard_names(self, key: FeatureKey, corpus: str) -> frozenset[str]:
        """Names of what may be shards of a key and corpus where they are written; none is looked
        at."""
        try:
            with os.scandir(self.feature_folder(key)) as files:
                names = [file.name for file in files]
        except OSError:  # there are none yet, or whoever opens one is told why he cannot
            return frozenset()
        shards = filter(layout.SHARD_NAME.fullmatch, names)
        return frozenset(name for name in shards if layout.corpus_of(name) == corpus)

    def indices(self, key: FeatureKey, corpus: str) -> list[ShardIndex]:
        """Those of the finished shards of one key and corpus, by file name.

        Raises:
            CorruptShardError: one is damaged.
            SerError: one cannot be opened, or the folder cannot be listed.
        """
        for _ in range(LOOKS):
            indices, gone = [], False
            with self._reading(key, corpus) as read:
                for path in self._shard_files(key, corpus):
                    try:
                        index = read(path)
                    except GoneError:
                        gone = True
                        continue
                    if index is not None:
                        indices.append(index)
            if not gone:
                break  # else what is gone may be in another shard that came meanwhile
        return indices

    @contextmanager
    def _reading(
        self, key: FeatureKey, corpus: str
    ) -> Iterator[Callable[[Path], ShardIndex | None]]:
        """What reads the indices of shards that are not in memory."""
        with known_indices(self.folders, key, corpus) as read_anew:

            def read(path: Path) -> ShardIndex | None:
                try:
                    status = path.stat()
                except OSError as error:
                    raise read_error(path, error) from error
                known = self._indices.get(path)
                if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
                    known = (status.st_size, status.st_mtime_ns, read_anew(path, key))
                    self._indices[path] = known
                return known[2]

            yield read

    def look_at(
        self, paths: Iterable[Path], key: FeatureKey, read: Read = read_index
    ) -> dict[Path, ShardIndex | None]:
        """Shards with their indices, None where damaged or never finished; less what is gone.

        The indices are not kept: those of all features may be more than there is memory for.
        """
        indices: dict[Path, ShardIndex | None] = {}
        for path in paths:
            try:
                indices[path] = read(path, key)
            except GoneError:
                continue
            except SerError:
                indices[path] = None  # `ser cache verify` says what is wrong with it
        return indices

    def corpora(self) -> list[str]:
        """Names of the corpora whose manifest is here, sorted; errors as of `entries`."""
        from ..manifests import is_corpus_name

        files = [
            path
            for layer in self.layers()
            for path in entries(layer / "manifests", layer)
            if path.suffix == ".csv" and may_be_file(path)
        ]
        return sorted({path.stem for path in files if is_corpus_name(path.stem)})

    def manifest_file(self, corpus: str) -> Path:
        """Where the manifest of a corpus lies, in the first folder that has one, or would."""
        files = [layer / "manifests" / f"{corpus}.csv" for layer in self.layers()]
        return next(filter(may_be_file, files), files[0])

    def manifest(self, corpus: str) -> Manifest:
        """That of a corpus; errors as of `read_manifest`."""
        path = self.manifest_file(corpus)
        try:
            status = path.stat()
        except OSError as error:
            raise read_error(path, error) from error
        # One that was saved anew is another file, though its size and time may be the same.
        look = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._manifests.get(path, (None,))[0] != look:
            self._manifests[path] = (look, read_manifest(path))
        return self._manifests[path][1]


def read_key(folder: Path) -> FeatureKey | None:
    """The key of a feature folder: from key.json, else from a shard; None for an empty folder.

    Raises:
        CorruptShardError: key.json is not the key of this folder, or is not there and no shard is
            whole.
        SerError: the folder is reached through a link, or it or key.json cannot be read.
    """
    cache = folder.parents[1]
    check_own(folder, cache)
    path = folder / "key.json"
    try:
        # Indentation and line ends make it longer than the canonical form.
        data = read_regular(path, 4 * MAX_KEY_BYTES, cache)
    except OSError as error:
        problem = read_error(path, error)
        if isinstance(problem, GoneError):
            return _key_of_shards(folder)
        raise SerError(
            f"{problem}. Remove it, or mend who may read it: the shards beside it carry the key too"
        ) from error
    try:
        key = FeatureKey.from_json(data.decode("utf-8"))
        reason = None if key.folder == folder.name else f"is the key of the folder {key.folder}"
    except (UnicodeDecodeError, InputError) as error:
        reason = str(error)
    if reason is not None:
        raise CorruptShardError(
            f"{path}: {reason}. Delete this file: the shards beside it carry the key too. "
            "`ser cache verify` then tells whether they are whole."
        )
    return key


def _key_of_shards(folder: Path) -> FeatureKey | None:
    damage: SerError | None = None
    for path in shard_files(folder):
        try:
            if (index := read_index(path)) is not None:
                return index.key
        except GoneError:
            continue
        except SerError as error:
            damage = damage or error
    if damage is not None:
        raise damage
    return None


def read_manifest(path: Path) -> Manifest:
    """Load and check one manifest of a cache.

    Raises:
        GoneError: it is not there.
        SerError: it is not a valid manifest, or of another corpus than its name says.
    """
    from ..manifests import Manifest

    cache = path.parents[1]
    check_own(path.parent, cache)
    try:
        open_regular(path, cache).close()
        manifest = Manifest.load(path)
    except OSError as error:
        raise read_error(path, error) from error
    if manifest.corpus != path.stem:
        raise InputError(
            f"{path}: is a manifest of {manifest.corpus}. Rename it to {manifest.corpus}.csv"
        )
    return manifest


def read_durations(path: Path) -> dict[str, float]:
    """Of the audio of each utterance of a manifest, by what it is found by, in seconds.

    Nothing else of the manifest is checked, which takes longer.

    Raises:
        SerError: as `read_manifest`, but for what is wrong with a row.
        ValueError: a duration is no finite number.
    """
    from ..manifests import checked
    from ..manifests.csv_files import read_csv
    from ..manifests.text_files import read_bytes

    check_own(path.parent, path.parents[1])
    try:
        open_regular(path, path.parents[1]).close()
    except OSError as error:
        raise read_error(path, error) from error
    data, needed = read_bytes(path), ("id", "audio_hash", "duration")
    columns = checked.recall_columns(data, needed) or read_csv(path, needed, data=data).columns
    utterances = layout.utterances(columns["id"], columns["audio_hash"])
    seconds = np.array(columns["duration"], float)
    if not np.isfinite(seconds).all():
        raise ValueError(f"{path}: a duration is not finite")
    return dict(zip(utterances, seconds.tolist(), strict=True))


def utterances_of(manifest: Manifest) -> list[str]:
    """What the utterances are found by, in the order of the manifest."""
    table = manifest.table
    return layout.utterances(table["id"].tolist(), table["audio_hash"].tolist())
