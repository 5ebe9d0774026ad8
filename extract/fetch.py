"""Fetching weights: resumed, verified, and there as a whole or not at all."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError, SerError
from ..files import PARTIAL, atomic_text, sync, sync_folder
from .download import Progress, discard, download
from .hub import download_model
from .weights import (
    HUB_FOLDER,
    KNOWN,
    Weights,
    digest,
    git_blob,
    hub_weights,
    place,
    record_path,
    weights_folder,
)

State = Literal["here", "missing", "damaged"]


@dataclass(frozen=True)
class Holding:
    """Weights as they are on this machine.

    Attributes:
        weights: which.
        path: where they are or would be.
        state: `damaged` are bytes other than those that are known or were recorded.
        size: bytes; of what is here, else of what is to be fetched, where that is known.
        hash: sha256 of the file, or over the files of the folder (see `digest`).
        revision: commit of a model of the hub.
    """

    weights: Weights
    path: Path
    state: State
    size: int | None
    hash: str | None
    revision: str | None


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
        SerError: no network, no such file, broken off (run again to go on), or the wrong bytes.
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
    partial = target.with_name(PARTIAL + target.name)
    try:
        download(weights.url, partial, progress)
    except InputError:
        raise
    except SerError as error:
        raise SerError(f"{error}. Or fetch it elsewhere{_by_hand(weights, target)}") from error
    found = digest(partial)
    problem = _problem(weights, partial, found, read_record(target).get("sha256"))
    if problem:
        discard(partial)
        raise SerError(f"{weights.url}: {problem}. It was not kept")
    size = partial.stat().st_size
    if weights.archive:
        _unpack(partial, target, weights)
    else:
        _land(partial, target)
    _record(weights, target, sha256=found, size=size)
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
        held = read_record(target).get("revision")
        if revision is None or (held or "").startswith(revision):
            _check_present(weights, target)
            return target
        raise SerError(
            f"{target} is revision {held or 'unknown'} of {model}; remove that folder to fetch "
            f"revision {revision}"
        )
    partial = target.with_name(PARTIAL + target.name)
    commit, size = download_model(model, partial, revision)
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    _land(partial, target)
    _record(weights, target, sha256=digest(target), size=size, revision=commit)
    return target


def _check_present(weights: Weights, path: Path) -> None:
    """Compare what is there with what is known or recorded; record what has neither.

    Raises:
        SerError: it differs.
    """
    record = read_record(path)
    found = digest(path)
    if path.is_dir():
        known = record.get("digest")
        problem = f"its files are not those that were fetched ({found})" if known else None
        problem = None if known in (None, found) else problem
    else:
        problem = _problem(weights, path, found, record.get("sha256"))
    if problem:
        raise SerError(f"{path}: {problem}. Remove it and fetch it again")
    if not record:
        with suppress(OSError):  # in a folder that can only be read, nothing is recorded
            _record(weights, path, sha256=None if path.is_dir() else found, size=None)


def read_record(path: Path) -> dict[str, Any]:
    """What was recorded of weights when they were fetched; empty where nothing was."""
    try:
        record = json.loads(record_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _problem(weights: Weights, path: Path, found: str, recorded: str | None) -> str | None:
    """What is wrong with the bytes of a file that was fetched."""
    if weights.sha256 is not None:
        return _differs("sha256", weights.sha256, found)
    if weights.git_blob is not None:
        return _differs("git blob id", weights.git_blob, git_blob(path))
    if recorded is not None:
        return _differs("sha256 recorded at the first fetch", recorded, found)
    return None


def _differs(what: str, expected: str, found: str) -> str | None:
    return None if found == expected else f"wrong bytes: {what} {expected} expected, got {found}"


def _record(
    weights: Weights,
    path: Path,
    *,
    sha256: str | None,
    size: int | None,
    revision: str | None = None,
) -> None:
    """Write down where weights came from and what their bytes were."""
    record = {
        "name": weights.name,
        "url": weights.url,
        "licence": weights.licence,
        "size": size,
        "sha256": sha256,
        "digest": digest(path),
        "revision": revision,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    atomic_text(record_path(path), json.dumps(record, indent=2) + "\n")


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
        SerError: it is not such an archive, or would write outside its folder.
    """
    folder = target.with_name(f"{PARTIAL}{target.name}-unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        discard(archive)
        raise SerError(
            f"{weights.url}: not an archive that can be unpacked ({error}). It was not kept"
        ) from error
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    whole = inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
    _land(whole, target)
    shutil.rmtree(folder, ignore_errors=True)


def survey() -> list[Holding]:
    """The weights that are known, and those of other hub models that are here."""
    listed = list(KNOWN)
    names = {weights.name for weights in listed}
    hub = weights_folder() / HUB_FOLDER
    for folder in sorted(hub.iterdir()) if hub.is_dir() else []:
        name = f"{HUB_FOLDER}/{folder.name}"
        if folder.is_dir() and not folder.name.startswith(".") and name not in names:
            listed.append(hub_weights(folder.name.replace("--", "/", 1)))
    return [_holding(weights) for weights in listed]


def _holding(weights: Weights) -> Holding:
    path = place(weights)
    if not path.exists():
        return Holding(weights, path, "missing", weights.size, None, None)
    record, found = read_record(path), digest(path)
    if path.is_dir():
        wrong = record.get("digest") not in (None, found)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    else:
        wrong = bool(_problem(weights, path, found, record.get("sha256")))
        size = path.stat().st_size
    state: State = "damaged" if wrong else "here"
    return Holding(weights, path, state, size, found, record.get("revision"))
