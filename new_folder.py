"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError, SerError
from .files import PARTIAL, STALE_SECONDS, make_folder, partial_beside, sync, sync_folder


@contextmanager
def new_folder(target: Path, mark: str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `target`, which takes its name at the end; on any exception it is
    removed, and `target` stays as it was.

    Args:
        mark: a file that the new folder will have, and by which an old one is known to be its like.
        overwrite: replace an old one.

    Raises:
        InputError: `target` is there, and is not to be replaced.
        SerError: it cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - links stay as they are
    try:
        _check(target, mark, overwrite)
        make_folder(target.parent)
        _remove_stale(target)
        made = partial_beside(target)
        made.mkdir()
        try:
            yield made
            _sync_all(made)
            _check(target, mark, overwrite)
            _put(made, target)
            sync_folder(target.parent)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise SerError(
            f"{target}: cannot be written ({error.strerror or error}); nothing is there that was "
            "not before"
        ) from error


def _check(target: Path, mark: str, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    is_folder = target.is_dir() and not target.is_symlink()
    if is_folder and not any(target.iterdir()):
        return
    if not is_folder or not (target / mark).is_file():
        raise InputError(f"{target}: is there, and is no export that could be replaced")
    if not overwrite:
        raise InputError(f"{target}: is there; --overwrite replaces it")


def _put(made: Path, target: Path) -> None:
    """Give a folder its name; what had it goes."""
    if not os.path.lexists(target):
        made.replace(target)
        return
    old = partial_beside(target)
    target.replace(old)
    try:
        made.replace(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync_all(folder: Path) -> None:
    for at, _, files in os.walk(folder):
        for name in files:
            sync(Path(at) / name)
        sync_folder(Path(at))


def _remove_stale(target: Path) -> None:
    """What exports to this place left more than a day ago, when they were killed."""
    for path in target.parent.glob(f"{PARTIAL}{'[0-9a-f]' * 32}-{_literal(target.name)}"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > STALE_SECONDS and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def _literal(name: str) -> str:
    import glob

    return glob.escape(name)
