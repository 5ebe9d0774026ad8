"""Putting a finished run in its place, so that nothing that is there is lost."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import InputError, SerError
from ..files import PARTIAL, sync, sync_folder
from .run_folder import is_any_run, is_run, written_by_runs

DAY = 86_400


def check_target(folder: Path, config: Mapping[str, Any], overwrite: bool) -> None:
    """Refuse a folder whose content would be lost: anything but the same run as `config`."""
    if folder.is_file():
        raise InputError(f"--out {folder}: is a file, expected a folder")
    if folder.absolute() == Path.cwd() or folder.is_mount():
        raise InputError(f"--out {folder}: cannot be replaced as a whole; name a folder in it")
    if not folder.exists() or not any(folder.iterdir()) or is_run(folder, config):
        return
    remedy = "choose another --out"
    if not is_any_run(folder):
        raise InputError(f"--out {folder}: is not empty and not a run folder; {remedy}")
    if not overwrite:
        raise InputError(
            f"--out {folder}: holds a different run, or not all of this one; {remedy}, or say "
            "--overwrite"
        )


def check_writable(target: Path) -> None:
    """Prove that `target` can be written, before hours of work.

    Raises:
        SerError: it cannot.
    """
    shutil.rmtree(_hidden(target), ignore_errors=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `target` that takes its place at the end, all at once.

    On an exception within, it is removed and `target` stays as it was. What others have put into
    `target` moves into the new one.

    Raises:
        SerError: the folder cannot be made, or cannot take its place (it is kept then).
    """
    _remove_remains(target)
    partial = _hidden(target)
    try:
        yield partial
        for path in partial.iterdir():
            sync(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _take_place(partial, target)


def _hidden(target: Path) -> Path:
    """A new folder beside `target` that is hidden, and can be written."""
    partial = target.parent / f"{PARTIAL}{uuid.uuid4().hex}-{target.name}"
    try:
        partial.mkdir(parents=True)
        probe = partial / "probe"
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SerError(f"--out {target}: cannot be written: {error.strerror}") from error
    return partial


def _remove_remains(target: Path) -> None:
    """Remove what was left beside `target` by writers that were killed, a day ago or more."""
    name = f"{re.escape(PARTIAL)}[0-9a-f]{{32}}-{re.escape(target.name)}(-replaced)?"
    for path in target.parent.glob(f"{PARTIAL}*"):
        if re.fullmatch(name, path.name) and time.time() - path.stat().st_mtime > DAY:
            shutil.rmtree(path, ignore_errors=True)


def _take_place(partial: Path, target: Path) -> None:
    old = partial.with_name(f"{partial.name}-replaced")
    try:
        if target.exists():
            target.rename(old)
        partial.rename(target)
    except OSError as error:
        if old.exists():
            old.rename(target)
        kept = target.with_name(f"{target.name}-{uuid.uuid4().hex[:8]}")
        with suppress(OSError):
            partial.rename(kept)
        raise SerError(
            f"--out {target}: the finished run could not be put there ({error.strerror}); "
            f"it is whole in {kept if kept.exists() else partial}"
        ) from error
    if old.exists():
        for path in old.iterdir():
            if not written_by_runs(path.name):
                path.rename(target / path.name)
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(target.parent)
