"""Where the files of a cache lie, and which of them count."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files
from ..errors import CorruptShardError, InputError, SerError
from . import layout
from .access import GoneError, check_own, is_own, open_file, read_file
from .keys import MAX_KEY_BYTES, FeatureKey
from .shard import read_index

if TYPE_CHECKING:
    from ..manifests import Manifest

_PARTIAL = re.compile(re.escape(files.PARTIAL) + "[0-9a-f]{32}(-|$)")


@dataclass(frozen=True)
class Problem:
    """A damaged or foreign file or folder of a cache: where, what is wrong, and what to do."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    @classmethod
    def of(cls, path: Path, error: SerError) -> Problem:
        """The problem that an error tells, about `path` or a file in it."""
        start, _, reason = str(error).partition(": ")
        inside = reason and Path(start).is_relative_to(path)
        return cls(Path(start), reason) if inside else cls(path, str(error))


def default_cache_folder() -> Path:
    """The folder in `SER_CACHE`, else `ser` in the user's cache folder of this system."""
    if folder := os.environ.get("SER_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ser", appauthor=False))


def entries(folder: Path) -> list[Path]:
    """What lies in `folder`, by name, hidden and unfinished files left out; empty if absent.

    Raises:
        InputError: it is not a folder, or the cache above it is none.
        SerError: it cannot be listed.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        file = folder if os.path.lexists(folder) else folder.parent
        raise InputError(f"{file} is not a folder; a cache is one, with folders in it") from error
    except OSError as error:
        raise SerError(f"{folder}: cannot be listed ({error.strerror})") from error
    return [folder / name for name in names]


def feature_folders(cache: Path) -> list[Path]:
    """What is named as a feature folder is, whatever it may be.

    Raises:
        SerError: they cannot be listed.
    """
    features = cache / "features"
    check_own(features, cache)
    return [path for path in entries(features) if layout.FOLDER_NAME.fullmatch(path.name)]


def leftovers(cache: Path) -> list[Path]:
    """Files anywhere in a cache that writers began more than a day ago and never finished."""
    places = [cache, cache / "manifests", cache / "features"]
    with suppress(SerError):  # whoever reads the features says what is wrong there
        places += feature_folders(cache)
    found = [path for place in places if is_own(place, cache) for path in files.leftovers(place)]
    # The user may keep other files beside a cache.
    return [path for path in found if path.parent != cache or _PARTIAL.match(path.name)]


def remove_leftovers(cache: Path) -> list[Path]:
    """Remove `leftovers`, as far as one may; those that went."""
    removed = []
    for path in leftovers(cache):
        with suppress(OSError):  # another process has it open, or it is not ours to remove
            path.unlink()
            removed.append(path)
    return removed


def shard_files(folder: Path, corpus: str | None = None) -> list[Path]:
    """The shards in a feature folder, of one corpus or of all, by name.

    Raises:
        SerError: the folder is reached through a link, or cannot be listed.
    """
    check_own(folder, folder.parents[1])
    found = []
    for path in entries(folder):
        name = layout.SHARD_NAME.fullmatch(path.name)
        if name is not None and corpus in (None, name[1]) and may_be_file(path):
            found.append(path)
    return found


def may_be_file(path: Path) -> bool:
    """Whether this is a regular file, or there is no telling and opening it will say."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        return False


def read_keys(cache: Path) -> tuple[list[FeatureKey], list[Problem]]:
    """The keys of all feature folders, by feature and hash, and what had to be left out.

    Raises:
        SerError: the feature folders cannot be listed.
    """
    keys, left_out = [], []
    for folder in feature_folders(cache):
        try:
            key = read_key(folder)
            entries(folder)
        except GoneError:
            continue
        except SerError as error:
            left_out.append(Problem.of(folder, error))
            continue
        if key is not None:
            keys.append(key)
    return sorted(keys, key=lambda key: (key.feature, key.hash)), left_out


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
        text = read_file(path, cache, 4 * MAX_KEY_BYTES)
    except GoneError:
        return _key_of_shards(folder)
    except SerError as error:
        raise SerError(
            f"{error}. Remove it, or mend who may read it: the shards beside it carry the key too"
        ) from error
    try:
        key = FeatureKey.from_json(text.decode("utf-8"))
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
            index = read_index(path)
        except GoneError:
            continue
        except SerError as error:
            damage = damage or error
            continue
        if index is not None:
            return index.key
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
    open_file(path, cache).close()
    try:
        manifest = Manifest.load(path)
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    if manifest.corpus != path.stem:
        raise InputError(
            f"{path}: is a manifest of {manifest.corpus}. Rename it to {manifest.corpus}.csv"
        )
    return manifest
