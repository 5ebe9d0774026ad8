"""Fetching weights: resumed, verified, and there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from ...errors import InputError, SerError
from ...files import PARTIAL, sync, sync_folder
from .archive import BadArchiveError, unpack
from .download import Progress, discard, download
from .hub import download_model
from .known import Weights, digest, place, weights_folder
from .partial_file import new_folder, own_folder, remove, sweep
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
    try:
        # What is there is not written to, and may lie where nobody can write.
        with nullcontext() if target.exists() else _alone(weights):
            return _fetch(weights, target, progress, revision)
    except KeyboardInterrupt:
        raise SerError(
            f"interrupted; what has arrived of {weights.name} is kept: run again to go on"
        ) from None
    except OSError as error:
        raise SerError(f"{error.filename or target}: {error.strerror or error}") from error


@contextmanager
def _alone(weights: Weights) -> Iterator[None]:
    """Keep a second process from writing into the same unfinished download.

    Raises:
        SerError: there is one that fetches these weights, or the folder cannot be written to.
    """
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


def _fetch(weights: Weights, target: Path, progress: Progress | None, revision: str | None) -> Path:
    if weights.hub_id is not None:
        return _fetch_model(weights, target, revision)
    if revision is not None:
        raise InputError(f"{weights.name} is not on the hub: it has no revisions")
    return _fetch_file(weights, target, progress)


def _fetch_file(weights: Weights, target: Path, progress: Progress | None) -> Path:
    if target.exists():
        _check_present(weights, target)
        return target
    sweep(target)
    recorded = read_record(target).get("sha256")
    partial = target.with_name(PARTIAL + target.name)
    try:
        download(weights.url, partial, progress, weights.most)
    except InputError:
        raise
    except SerError as error:
        raise SerError(f"{error}. Or fetch it elsewhere{_by_hand(weights, target)}") from error
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
    return target


def _by_hand(weights: Weights, target: Path) -> str:
    """What to do on another machine, for the end of a message."""
    if weights.archive:
        return f", unpack it, and copy the folder to {target}"
    return f" and copy it to {target}"


def _fetch_model(weights: Weights, target: Path, revision: str | None) -> Path:
    model = weights.hub_id
    assert model is not None
    if target.exists():
        held = read_record(target).get("revision", "")
        if revision is None or held.startswith(revision):
            _check_present(weights, target)
            return target
        raise SerError(
            f"{target} is revision {held or 'unknown'} of {model}; remove that folder to fetch "
            f"revision {revision}"
        )
    sweep(target)
    partial = target.with_name(PARTIAL + target.name)
    own_folder(partial)
    fetched = download_model(model, partial, revision)
    _land(partial, target)
    write_record(
        weights,
        target,
        sha256=digest(target),
        size=fetched.size,
        revision=fetched.commit,
        licence=fetched.licence,
    )
    return target


def _check_present(weights: Weights, path: Path) -> None:
    """Compare what is there with what is known or recorded; record what has neither.

    Raises:
        SerError: it differs.
    """
    record = read_record(path)
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
    """Unpack a .tar.gz that holds one folder.

    Raises:
        SerError: it is not such an archive, or wants more than to be unpacked there.
    """
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
