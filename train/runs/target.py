"""Putting a finished run in its place, so that nothing that is there is lost.

A run is written into a hidden folder beside its place. What stands in that place is first moved
aside, to `<name>.replaced-<digits>`; once the new run is there, what others had put into the old
one moves on into it, and then the old one goes. Killed at any moment, this leaves the old run or
the new one whole, and the next command that claims the place brings it to an end.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any

from ...errors import InputError, SerError
from ...files import (
    PARTIAL,
    TRIES,
    make_folder,
    partial_beside,
    read_json,
    share_with_group,
    sync,
    sync_folder,
)
from .locks import held
from .run import CONFIG, FILES, VERSIONS, Run
from .run_config import RunConfig

LOCK, REPLACED = ".ser-lock-", ".replaced-"

ATTEMPTS = 5
"""To claim a folder, before it is taken for claimed by another."""

Say = Callable[[str], None]
"""Tells the user something that is to stay on the screen."""


class FolderTakenError(InputError):
    """Another command is at work on a run folder."""


def check_no_file(folder: Path) -> None:
    """Refuse a file, and what is below one; errors as of whoever writes there."""
    for each in (folder, *folder.parents):
        try:
            is_file = each.is_file()
        except OSError as error:  # such as a name that is too long
            raise SerError(f"--out {folder}: cannot be written: {error.strerror}") from error
        if is_file:
            raise InputError(f"--out {folder}: {each} is a file, expected a folder")


def check_folder(folder: Path) -> None:
    """Refuse what cannot be a run folder, or holds something else than a run."""
    check_no_file(folder)
    if folder.absolute() == Path.cwd() or folder.is_mount():
        raise InputError(f"--out {folder}: cannot be replaced as a whole; name a folder in it")
    if not (_is_empty(folder) or is_run(folder)):
        raise InputError(f"--out {folder}: is not empty and not a run folder; choose another --out")


def is_run(folder: Path) -> bool:
    """Whether a folder looks like a run, whole or not, of whatever version of ser."""
    config: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        config = read_json(folder / CONFIG, dict[str, Any], folder)
    return {"setting", "method", "corpora"} <= config.keys()  # others have a config.json too


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or not any(folder.iterdir())


def check_target(folder: Path, config: RunConfig, overwrite: bool) -> None:
    """Refuse a folder whose content would be lost: anything but the same run as `config`."""
    check_folder(folder)
    if not (_is_empty(folder) or overwrite or holds_run(folder, config)):
        raise InputError(
            f"--out {folder}: holds a different run, or not all of this one, or one of another "
            "version of ser; choose another --out, or say --overwrite"
        )


def holds_run(folder: Path, config: RunConfig) -> bool:
    """Whether a folder holds the run that `config` describes, all of it as it was written."""
    try:
        return Run.open(folder).is_of(config)
    except InputError:
        return False


def check_writable(target: Path) -> None:
    """Prove that `target` can be written, before hours of work.

    Raises:
        SerError: it cannot.
    """
    shutil.rmtree(_hidden(target)[0], ignore_errors=True)


@contextmanager
def claimed(target: Path, say: Say, new: bool = False) -> Iterator[Path]:
    """Keep all other commands from `target` for a while; what a killed one left is put right.

    Args:
        new: take the first of `target`, `target`-2, `target`-3, ... that is neither there nor
            claimed; it is yielded.

    Raises:
        FolderTakenError: another command has claimed it.
        SerError: nothing can be written there.
    """
    wanted = target
    with ExitStack() as stack:
        for attempt in count(1):
            try:
                make_folder(target.parent)
                free = stack.enter_context(held(_lock(target)))
                if free:
                    _put_right(target, say)
            except OSError as error:
                raise _unwritable(target, error) from error
            if free and not (new and os.path.lexists(target)):
                break
            stack.close()
            if new:
                target = wanted.with_name(f"{wanted.name}-{attempt + 1}")
            elif attempt < ATTEMPTS:
                time.sleep(0.05)  # it may be one that looks for what killed commands left
            else:
                raise FolderTakenError(
                    f"--out {target}: another command is at work there; wait until it ends, or "
                    "choose another --out"
                )
        yield target


@contextmanager
def new_folder(
    target: Path, say: Say, still_right: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Yield a hidden folder beside `target`, which is claimed, that takes its place at the end.

    On an exception within, it is removed and `target` stays as it was. What others have put into
    `target` moves into the new one.

    Args:
        still_right: raises InputError where `target` must not be replaced any more.

    Raises:
        SerError: the folder cannot be made, or cannot take its place (it is kept then).
    """
    partial, mode = _hidden(target)
    try:
        yield partial
        for path in partial.iterdir():
            path.chmod(mode)  # safetensors gives its files to the owner alone
            sync(path)
        sync_folder(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    try:
        still_right()
        aside = _take_place(partial, target)
    except (OSError, InputError) as error:
        kept = target.with_name(f"{target.name}-{uuid.uuid4().hex[:8]}")
        with suppress(OSError):
            partial.rename(kept)
        raise SerError(
            f"--out {target}: the finished run could not be put there "
            f"({getattr(error, 'strerror', None) or error}); "
            f"it is whole in {kept if kept.exists() else partial}"
        ) from error
    if aside is not None:
        _empty(aside, target, say)


def _lock(target: Path) -> Path:
    return target.with_name(f"{LOCK}{target.name}")


def _unwritable(target: Path, error: OSError) -> SerError:
    return SerError(f"--out {target}: cannot be written: {error.strerror}")


def _hidden(target: Path) -> tuple[Path, int]:
    """A new folder beside `target` that is hidden and can be written, and the mode of its files."""
    for left in reversed(range(TRIES)):
        partial = partial_beside(target)
        try:
            make_folder(partial)
            probe = partial / "probe"
            probe.write_bytes(bytes(4096))
            share_with_group(probe)
            mode = stat.S_IMODE(probe.stat().st_mode)
            probe.unlink()
            break
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            # Where nobody has claimed `target`, another command may take it for a leftover.
            if not (left and isinstance(error, FileNotFoundError)):
                raise _unwritable(target, error) from error
    return partial, mode


def _take_place(partial: Path, target: Path) -> Path | None:
    """Rename `partial` to `target`; returns where what was there lies, if there was something."""
    aside = target.with_name(f"{target.name}{REPLACED}{uuid.uuid4().hex}")
    replaced = os.path.lexists(target)
    try:
        if replaced:
            target.rename(aside)
        partial.rename(target)
    except BaseException:
        if os.path.lexists(aside) and not os.path.lexists(target):
            aside.rename(target)
        raise
    sync_folder(target.parent)
    return aside if replaced else None


def _put_right(target: Path, say: Say) -> None:
    """Bring to an end what killed commands began with `target`, and remove what they left hidden
    beside it."""
    try:
        names = sorted(path.name for path in target.parent.iterdir())
    except PermissionError:  # a folder that one may pass through and not list
        return
    replaced = re.compile(re.escape(target.name + REPLACED) + "[0-9a-f]{32}")
    hidden = re.compile(re.escape(PARTIAL) + "[0-9a-f]{32}-(.+)")
    for path in map(target.with_name, names):
        if replaced.fullmatch(path.name):
            if os.path.lexists(target):
                _empty(path, target, say)
                continue
            path.rename(target)
            sync_folder(target.parent)
            say(f"note: {target} was being replaced when a command was killed; it is back")
        elif path.name.startswith(LOCK) and path != _lock(target):
            with suppress(OSError):
                if path.is_file() and not path.stat().st_size:
                    with held(path):  # which removes it, if nobody else holds it
                        pass
        elif (match := hidden.fullmatch(path.name)) and path.is_dir() and not path.is_symlink():
            other = target.with_name(match[1])
            mine = other == target  # whose lock is held here already
            with suppress(OSError), nullcontext(True) if mine else held(_lock(other)) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


def _written_by_run(folder: Path) -> set[str]:
    """Names of the files that the run in a folder wrote, whatever version of ser it is of."""
    names = set(FILES)
    with suppress(OSError, ValueError, KeyError, TypeError):
        listed = read_json(folder / VERSIONS, dict[str, Any], folder)["files"]
        names |= {name for name in listed if re.fullmatch(r"split-[a-z0-9_-]+\.csv", name)}
    return names


def _empty(aside: Path, target: Path, say: Say) -> None:
    """Move what others put into a run that was replaced into the new one, and remove the old.

    Where the new one is not whole, nothing is touched. What cannot be moved stays where it is.
    """
    try:
        if aside.is_symlink():
            raise ValueError("it is a link")
        Run.open(target).verify()
        written = _written_by_run(aside)
        for path in sorted(aside.iterdir()):
            of_run = path.name in written and not path.is_dir()
            if not of_run and not os.path.lexists(target / path.name):
                with suppress(OSError):
                    path.rename(target / path.name)
        sync_folder(target)
        for name in sorted(written, key=lambda name: name == VERSIONS):  # it says what was written
            with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                (aside / name).unlink()
        aside.rmdir()
    except (OSError, ValueError, InputError):
        say(f"note: {aside} holds what was in {target} before and could not be moved into it")
