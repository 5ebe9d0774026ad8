"""Where the files of a cache lie, and which of them count."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptShardError, InputError, SerError
from . import layout
from .keys import MAX_KEY_BYTES, FeatureKey
from .shard import read_index

if TYPE_CHECKING:
    from ..manifests import Manifest


def default_cache_folder() -> Path:
    """The folder in `SER_CACHE`, else `ser` in the user's cache folder of this system."""
    if folder := os.environ.get("SER_CACHE"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ser", appauthor=False))


def entries(folder: Path) -> list[Path]:
    """What lies in `folder`, by name, hidden and unfinished files left out; empty if absent."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise InputError(f"{folder.parent} is not a folder; a cache is one") from error
    except OSError as error:
        raise SerError(f"{folder}: cannot be listed ({error.strerror})") from error
    return [folder / name for name in names]


def feature_folders(cache: Path) -> list[Path]:
    """The folders of `cache` that are named as a feature folder is."""
    return [path for path in entries(cache / "features") if layout.FOLDER_NAME.fullmatch(path.name)]


def shard_files(folder: Path, corpus: str | None = None) -> list[Path]:
    """The shards in a feature folder, of one corpus or of all, by name."""
    found = []
    for path in entries(folder):
        name = layout.SHARD_NAME.fullmatch(path.name)
        if name is not None and corpus in (None, name[1]) and path.is_file():
            found.append(path)
    return found


def read_key(folder: Path) -> FeatureKey | None:
    """The key of a feature folder: from key.json, else from a shard; None for an empty folder.

    Raises:
        CorruptShardError: key.json is not the key of this folder.
    """
    path = folder / "key.json"
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_KEY_BYTES + 1)
    except FileNotFoundError:
        return _key_of_shards(folder)
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
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
    for path in shard_files(folder):
        index = read_index(path)
        if index is not None:
            return index.key
    return None


def read_manifest(path: Path) -> Manifest:
    """Load and check one manifest of a cache.

    Raises:
        SerError: it is not a valid manifest, or of another corpus than its name says.
    """
    from ..manifests import Manifest

    try:
        manifest = Manifest.load(path)
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    if manifest.corpus != path.stem:
        raise InputError(
            f"{path}: is a manifest of {manifest.corpus}. Rename it to {manifest.corpus}.csv"
        )
    return manifest
