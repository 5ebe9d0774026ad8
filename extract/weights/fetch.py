"""Fetching weights: resumed, verified, and there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import InputError, SerError
from ...files import PARTIAL, sync, sync_folder
from ...transfer.download import Progress, discard, download
from ...transfer.partial_file import new_folder, own_folder, remove, sweep
from .archive import BadArchiveError, unpack
from .hub import download_model
from .known import Weights, digest, place, weights_folder
from .records import find_problem, read_record, write_record, wrong_bytes

_EXPANSION = 20
"""How many times its size an archive may unpack to."""


def fetch(
    weights: Weights, progress: Progress | None = None, *, revision: str | None = None
) -> Path:
    """Bring weights into the weights folder, unless they are there.

    Verified against the sha256 or git blob id that is known of them, else against what was
    recorded at the first fetch; the first fetch of what has neither is recorded.

    Args:
        weights: which.
        progress: called with bytes done and, where it is known, bytes in all.
        revision: of a model on the hub: a branch, tag or commit; None is the newest.

    Returns:
        Where they are now.

    Raises:
        SerError: no network, no such file, broken off (run again to go on), the wrong bytes, or
            the folder cannot be read or written.
        MissingPackageError: a model on the hub, and huggingface_hub is not installed.
        InputError: a revision of something that is not on the hub.
    """
    target = place(weights)
    if revision is not None and weights.hub_id is None:
        raise InputError(f"{weights.name} is not on the hub: it has no revisions")
    try:
        if target.exists():  # it is not written to, and may lie where nobody can write
            _check_present(weights, target, revision)
            return target
        with _alone(weights):
            if target.exists():
                _check_present(weights, target, revision)
            else:
                sweep(target)
                partial = target.with_name(PARTIAL + target.name)
                if weights.hub_id is None:
                    _fetch_file(weights, target, partial, progress)
                else:
                    _fetch_model(weights, weights.hub_id, target, partial, revision)
        return target
    except KeyboardInterrupt:
        raise SerError(
            f"interrupted; what has arrived of {weights.name} is kept: run again to go on"
        ) from None
    except OSError as error:
        raise SerError(f"{error.filename or target}: {error.strerror or error}") from error


@contextmanager
def _alone(weights: Weights) -> Iterator[None]:
    """Keep a second process from writing into the same unfinished download."""
    import filelock

    folder = weights_folder()
    path = folder / ".locks" / f"{weights.name.replace('/', '--')}.lock"
    lock = filelock.FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_links(path)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise SerError(f"{weights.name} is being fetched by another process: wait for it") from None
    except OSError as error:
        raise SerError(
            f"{folder}: {weights.name} is not there, and nothing can be written there "
            f"({error.strerror}); set SER_WEIGHTS to another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _refuse_links(lock: Path) -> None:
    """Keep a lock from being made of another file: older filelocks empty what a link leads to."""
    if not stat.S_ISDIR(lock.parent.lstat().st_mode):
        raise OSError(None, "a link is in the way", str(lock.parent))
    if os.path.lexists(lock):
        state = lock.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            remove(lock)


def _fetch_file(weights: Weights, target: Path, partial: Path, progress: Progress | None) -> None:
    recorded = read_record(target).get("sha256")
    try:
        download(weights.url, partial, progress, weights.most)
    except InputError:
        raise
    except SerError as error:
        unpack_it = ", unpack it, and copy the folder" if weights.archive else " and copy it"
        raise SerError(f"{error}. Or fetch it elsewhere{unpack_it} to {target}") from error
    found = digest(partial)
    problem = wrong_bytes(weights, partial, found, recorded)
    if problem:
        discard(partial)
        raise SerError(f"{weights.url}: {problem}. It was not kept")
    size = partial.stat().st_size
    if weights.archive:
        _unpack(partial, target, weights)
    else:
        _land(partial, target)
    write_record(weights, target, sha256=found, size=size)
    discard(partial)


def _fetch_model(
    weights: Weights, model: str, target: Path, partial: Path, revision: str | None
) -> None:
    own_folder(partial)
    fetched = download_model(model, partial, revision)
    _land(partial, target)
    write_record(weights, target, sha256=digest(target), **fetched)


def _check_present(weights: Weights, path: Path, revision: str | None) -> None:
    """Compare what is there with what is known or recorded; record what has neither."""
    record = read_record(path)
    held = record.get("revision", "")
    if revision is not None and not held.startswith(revision):
        raise SerError(
            f"{path} is revision {held or 'unknown'} of {weights.hub_id}; remove that folder to "
            f"fetch revision {revision}"
        )
    found = digest(path)
    problem = find_problem(weights, path, found, record)
    if problem:
        raise SerError(f"{path}: {problem}. Remove it and fetch it again")
    if not record:
        with suppress(OSError):  # in a folder that can only be read, nothing is recorded
            write_record(weights, path, sha256=None if path.is_dir() else found, size=None)


def _land(partial: Path, target: Path) -> None:
    """Give a finished file or folder its name."""
    for file in [partial] if partial.is_file() else partial.rglob("*"):
        if file.is_file():
            sync(file)
    partial.replace(target)
    sync_folder(target.parent)


def _unpack(archive: Path, target: Path, weights: Weights) -> None:
    """Unpack a .tar.gz that holds one folder."""
    folder = new_folder(target)
    most = max(weights.most, _EXPANSION * archive.stat().st_size)
    try:
        unpack(archive, folder, most, weights.files)
        _land(folder, target)
    except BadArchiveError as error:
        discard(archive)
        raise SerError(
            f"{weights.url}: not an archive that can be unpacked ({error}). It was not kept"
        ) from error
    finally:
        remove(folder)
