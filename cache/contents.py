"""What lies in a cache folder: keys, shards, their indices, manifests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptShardError, InputError, SerError
from ..files import open_regular, read_regular
from . import layout
from .access import GoneError, check_own, read_error
from .folders import Problem, entries, feature_folders, may_be_file, shard_files
from .keys import MAX_KEY_BYTES, FeatureKey
from .shard import ShardIndex, read_index

if TYPE_CHECKING:
    from ..manifests import Manifest

LOOKS = 3
"""How often a folder is listed anew where files vanish between listing and opening."""


class Contents:
    """Looks at a cache folder anew each time; but shards never change, and their indices are read
    once for as long as the files look the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._indices: dict[Path, tuple[int, int, ShardIndex | None]] = {}

    def feature_keys(self) -> list[FeatureKey]:
        """The keys of all feature folders but those that are `left_out`, by feature and hash."""
        return self._keys()[0]

    def left_out(self) -> list[Problem]:
        """What is wrong with the feature folders that cannot be used."""
        return self._keys()[1]

    def _keys(self) -> tuple[list[FeatureKey], list[Problem]]:
        keys, left_out = [], []
        for folder in feature_folders(self.folder):
            try:
                entries(folder, self.folder)
                key = read_key(folder)
            except GoneError:
                continue
            except SerError as error:
                left_out.append(Problem.of(folder, error))
                continue
            if key is not None:
                keys.append(key)
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
        """Where the shards of a key lie, or would."""
        return self.folder / "features" / key.folder

    def shards(self, key: FeatureKey) -> dict[str, list[Path]]:
        """The shards of a key by corpus, each by name."""
        by_corpus: dict[str, list[Path]] = {}
        for path in shard_files(self.feature_folder(key)):
            by_corpus.setdefault(layout.corpus_of(path), []).append(path)
        return by_corpus

    def indices(self, key: FeatureKey, corpus: str) -> list[ShardIndex]:
        """Those of the finished shards of one key and corpus, by file name.

        Raises:
            CorruptShardError: one is damaged.
            SerError: one cannot be opened, or the folder cannot be listed.
        """
        for _ in range(LOOKS):
            indices, gone = [], False
            for path in shard_files(self.feature_folder(key), corpus):
                try:
                    index = self.index(path, key)
                except GoneError:
                    gone = True
                    continue
                if index is not None:
                    indices.append(index)
            if not gone:
                break  # else what is gone may be in another shard that came meanwhile
        return indices

    def index(self, path: Path, key: FeatureKey) -> ShardIndex | None:
        """That of one shard, None where it was never finished; errors as of `read_index`."""
        try:
            status = path.stat()
        except OSError as error:
            raise read_error(path, error) from error
        known = self._indices.get(path)
        if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
            known = (status.st_size, status.st_mtime_ns, read_index(path, key))
            self._indices[path] = known
        return known[2]

    def look_at(self, paths: Iterable[Path], key: FeatureKey) -> dict[Path, ShardIndex | None]:
        """Shards with their indices, None where damaged or never finished; less what is gone."""
        indices: dict[Path, ShardIndex | None] = {}
        for path in paths:
            try:
                indices[path] = self.index(path, key)
            except GoneError:
                continue
            except SerError:
                indices[path] = None  # `ser cache verify` says what is wrong with it
        return indices

    def corpora(self) -> list[str]:
        """Names of the corpora whose manifest is here, sorted; errors as of `entries`."""
        from ..manifests import is_corpus_name

        files = entries(self.folder / "manifests", self.folder)
        manifests = [path for path in files if path.suffix == ".csv" and may_be_file(path)]
        return [path.stem for path in manifests if is_corpus_name(path.stem)]

    def manifest_file(self, corpus: str) -> Path:
        """Where the manifest of a corpus lies, or would."""
        return self.folder / "manifests" / f"{corpus}.csv"


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


def utterances_of(manifest: Manifest) -> list[str]:
    """What the utterances are found by, in the order of the manifest."""
    table = manifest.table
    return layout.utterances(table["id"].tolist(), table["audio_hash"].tolist())
