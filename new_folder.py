"""A folder that appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError, SerError, listing
from .files import PARTIAL, STALE_SECONDS, make_folder, partial_beside, read_json, sync, sync_folder

MARK = ".ser-export.json"
"""The file by which such a folder is known, with the names of all others that were written."""

_MOST_MARK = 1 << 30


@contextmanager
def new_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `target`, which takes its name at the end; on any exception it is
    removed, and `target` stays as it was.

    Args:
        overwrite: replace one that was made so, and in which nothing else lies.

    Raises:
        InputError: `target` is there, and is not to be replaced.
        SerError: it cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - links stay as they are
    try:
        _check(target, overwrite)
        make_folder(target.parent)
        _remove_stale(target)
        made = partial_beside(target)
        made.mkdir()
        try:
            yield made
            (made / MARK).write_text(json.dumps(sorted(_files(made))), encoding="utf-8")
            _sync_all(made)
            _check(target, overwrite)
            _put(made, target)
            sync_folder(target.parent)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise SerError(
            f"{target}: cannot be written ({error.strerror or error}); nothing is there that was "
            "not before"
        ) from error


def _check(target: Path, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    is_folder = target.is_dir() and not target.is_symlink()
    if is_folder and not any(target.iterdir()):
        return
    try:
        if not is_folder:
            raise FileNotFoundError
        written = read_json(target / MARK, list[str], target, _MOST_MARK)
    except (FileNotFoundError, ValueError):
        raise InputError(f"{target}: is there, and is no export that could be replaced") from None
    if others := _files(target) - {MARK, *written}:
        raise InputError(
            f"{target}: is there, and not all in it is of an export: {listing(sorted(others), 3)}; "
            "move that, or choose another folder"
        )
    if not overwrite:
        raise InputError(f"{target}: is there; --overwrite replaces it")


def _files(folder: Path) -> set[str]:
    """Paths below a folder of all that is no folder itself; links are not followed."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


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
