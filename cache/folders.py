"""Where the files of a cache lie, and which of them count."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, SerError
from ..files import PARTIAL, stale_partials
from . import layout
from .access import check_own, is_own

_PARTIAL = re.compile(re.escape(PARTIAL) + "[0-9a-f]{32}(-|$)")


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


def default_cache_folders() -> list[Path]:
    """The folders in `SER_CACHE`, else `ser` in the user's cache folder of this system.

    Raises:
        InputError: one of them has an empty name, as that of an unset variable of the shell is.
    """
    if text := os.environ.get("SER_CACHE"):
        names = text.split(os.pathsep)
        if not all(names):
            raise InputError(
                f"SER_CACHE={text}: a name between {os.pathsep!r} is empty; expected folders, your "
                f"own and then the shared ones, such as ~/ser{os.pathsep}/group/ser"
            )
        return [Path(name).expanduser() for name in names]
    import platformdirs

    return [Path(platformdirs.user_cache_dir("ser", appauthor=False))]


def check_apart(folders: Sequence[Path]) -> None:
    """Refuse folders of which one is named twice, or lies in another, wherever links lead.

    Raises:
        InputError: so it is.
    """
    places: dict[Path, Path] = {}
    for folder in folders:
        place = Path(os.path.normcase(os.path.realpath(folder)))
        if place in places:
            raise InputError(f"the cache {folder} is given twice; each folder is read once")
        places[place] = folder
    for place, folder in places.items():
        for above in place.parents:
            if above in places:
                raise InputError(
                    f"the cache {folder} lies in {places[above]}, which is a cache too; "
                    "expected folders beside each other"
                )


def check_shared(folder: Path) -> None:
    """Prove that there is a cache in a folder that is read beside the user's own.

    A drive that is not mounted must not mean that everything is computed again.

    Raises:
        InputError: there is none.
        SerError: it cannot be listed.
    """
    if not {path.name for path in entries(folder, folder)} & {"features", "manifests"}:
        state = "is empty, or no cache" if folder.is_dir() else "no such folder"
        raise InputError(
            f"the shared cache {folder}: {state}; expected features/ or manifests/ in it. Mount "
            "its drive, or leave it out of --cache and SER_CACHE"
        )


def entries(folder: Path, cache: Path) -> list[Path]:
    """What lies in a folder of a cache, by name, hidden and unfinished files left out; empty if
    absent.

    Raises:
        InputError: it is not a folder, or the cache above it is none.
        SerError: it is reached through a link, or cannot be listed.
    """
    check_own(folder, cache)
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        file = folder if os.path.lexists(folder) else folder.parent
        if file == cache:
            raise InputError(
                f"{file} is not a folder; a cache is one, with folders in it"
            ) from error
        raise InputError(f"{file}: is not a folder. Move it out of the cache.") from error
    except OSError as error:
        raise SerError(f"{folder}: cannot be listed ({error.strerror})") from error
    return [folder / name for name in names]


def feature_folders(cache: Path) -> list[Path]:
    """What is named as a feature folder is, whatever it may be; errors as of `entries`."""
    names = entries(cache / "features", cache)
    return [path for path in names if layout.FOLDER_NAME.fullmatch(path.name)]


def leftovers(cache: Path) -> list[Path]:
    """Files anywhere in a cache that writers began and never finished: see `stale_partials`."""
    places = [cache, cache / "manifests", cache / "features"]
    with suppress(SerError):  # whoever reads the features says what is wrong there
        places += feature_folders(cache)
    partials = [path for place in places if is_own(place, cache) for path in stale_partials(place)]
    # The user may keep other files beside a cache.
    return [path for path in partials if path.parent != cache or _PARTIAL.match(path.name)]


def remove_leftovers(cache: Path) -> list[Path]:
    """Remove `leftovers`, as far as one may; those that went."""
    removed = []
    for path in leftovers(cache):
        with suppress(OSError):  # another process has it open, or it is not ours to remove
            path.unlink()
            removed.append(path)
    return removed


def shard_files(folder: Path, corpus: str | None = None) -> list[Path]:
    """The shards in a feature folder, of one corpus or of all, by name; errors as of `entries`."""
    return [
        path
        for path in entries(folder, folder.parents[1])
        if layout.SHARD_NAME.fullmatch(path.name)
        and corpus in (None, layout.corpus_of(path.name))
        and may_be_file(path)
    ]


def may_be_file(path: Path) -> bool:
    """Whether this is a regular file, or there is no telling and opening it will say."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        return False


def size_of(path: Path) -> int | None:
    """Of a file, in bytes; 0 where there is no telling, None where it is gone by now."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None
    except OSError:
        return 0
