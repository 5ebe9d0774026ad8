"""Shards that arrive: kept aside until every byte is checked, then seen as a whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from ...errors import CorruptShardError, SerError
from ...files import STALE_SECONDS, make_folder, sync, sync_folder
from ..access import GoneError, check_own, write_error
from ..folders import remove_leftovers, shard_files
from ..shard import read_index
from ..verify import check_shard
from ..writer import describe
from .place import Moved, Place

INCOMING = ".incoming"
"""The folder of a cache in which shards arrive, laid out as the cache is; readers do not look."""


def take(place: Place, name: str, size: int | None, cache: Path, moved: Moved) -> None:
    """Bring a shard into a cache: seen when it is whole and every checksum in it is right.

    What has arrived of it is kept whatever happens, and the next call goes on from there. Of two
    processes that want the same shard, one brings it and the other waits.

    Args:
        name: of it below both caches.

    Raises:
        SerError: it breaks off, is not what its name says, or the cache cannot be written.
    """
    target, staged = cache / name, cache / INCOMING / name
    try:
        make_folder(staged.parent)
        with _alone(staged):
            if target.exists():
                return
            _check_ours(staged, cache)
            _drop_if_longer(staged, size, moved)
            moved(staged.stat().st_size if staged.exists() else 0)
            place.receive(name, size, staged, moved)
            _check(staged, place, name)
            publish(staged, target, cache)
            with suppress(OSError):  # whoever waits for it finds the shard there
                _lock_of(staged).unlink()
    except OSError as error:
        raise write_error(cache, error) from error


def publish(staged: Path, target: Path, cache: Path) -> None:
    """Give a checked shard its place in the cache, and lay down what people read beside it."""
    check_own(target.parent, cache)
    index = read_index(staged)
    assert index is not None, "a checked shard is finished"
    sync(staged)
    make_folder(target.parent)
    try:
        staged.replace(target)
    except PermissionError:
        if not target.exists():  # on Windows one cannot replace what a reader has open: the same
            raise
        staged.unlink()
    sync_folder(target.parent)
    describe(target.parent, index.key, index.provenance)


def describe_folder(cache: Path, name: str) -> None:
    """Lay down what people read beside the shards of a feature folder, as one of them has it."""
    folder = cache / name
    for path in shard_files(folder):
        with suppress(CorruptShardError, GoneError):
            if (index := read_index(path)) is not None:
                describe(folder, index.key, index.provenance)
                return


def sweep(cache: Path) -> None:
    """Remove what killed processes left, and what began to arrive more than a day ago."""
    remove_leftovers(cache)
    root = cache / INCOMING
    with suppress(OSError, SerError):
        check_own(root, cache)
        for path in sorted(root.rglob("*"), reverse=True):  # what lies in a folder before it
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()
                elif _is_over(path, cache) or time.time() - path.lstat().st_mtime > STALE_SECONDS:
                    path.unlink()
        root.rmdir()


def _is_over(path: Path, cache: Path) -> bool:
    """Whether the shard that this file was about has arrived."""
    name = path.relative_to(cache / INCOMING).as_posix()
    return (cache / name.removesuffix(".lock")).exists()


@contextmanager
def _alone(staged: Path) -> Iterator[None]:
    with filelock.FileLock(_lock_of(staged)):
        yield


def _lock_of(staged: Path) -> Path:
    return staged.with_name(f"{staged.name}.lock")


def _check_ours(staged: Path, cache: Path) -> None:
    """Never write where a link leads."""
    check_own(staged.parent, cache)
    if staged.is_symlink() or (staged.exists() and not staged.is_file()):
        staged.unlink()


def _drop_if_longer(staged: Path, size: int | None, moved: Moved) -> None:
    """Begin anew where more has arrived than there is."""
    if size is not None and staged.exists() and staged.stat().st_size > size:
        staged.unlink()


def _check(staged: Path, place: Place, name: str) -> None:
    try:
        check_shard(staged)
    except CorruptShardError as error:
        staged.unlink(missing_ok=True)
        reason = str(error).removeprefix(f"{staged}: ").partition(". Delete this file")[0]
        raise SerError(
            f"{place.shown}: what arrived of {name} is not the shard that its name says: {reason}. "
            "It was not kept. Run the same command again; if it is the same again, the copy there "
            "is damaged, and whoever has a whole one can push it once it is removed there"
        ) from error
