"""Writing files so that a reader sees all of a file or none of it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"
"""Prefix of files being written; no reader looks at them."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success fsync it and rename it to `target`.

    On any exception the temporary file is removed and `target` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{PARTIAL}{uuid.uuid4().hex}-{target.name}")
    try:
        yield partial
        sync(partial)
        partial.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno and error.filename in (None, str(partial)):
            error.filename = str(target)  # the name that the user knows
        raise
    finally:
        partial.unlink(missing_ok=True)


def atomic_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8, line ends as given) to `target`, whole or not at all."""
    with atomic_path(target) as partial:
        partial.write_bytes(text.encode("utf-8"))


def sync(path: Path) -> None:
    """Force a written file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force a rename in `folder` to the disk, where the system has folders that can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
