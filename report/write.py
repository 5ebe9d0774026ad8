"""Where a page goes, without replacing anything else."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, SerError
from ..files import atomic_text, open_regular
from .page import MARK


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a file that is there and is no such page.

    Raises:
        InputError: it is something else, or a folder.
    """
    if not path.exists() or (overwrite and path.is_file()):
        return
    try:
        with open_regular(path) as file:
            same = file.read(len(MARK)) == MARK.encode()
    except OSError as error:
        raise InputError(f"--out {path}: {error.strerror}") from None
    if not same:
        raise InputError(
            f"--out {path}: is there, and no page of `ser report`; choose another --out, or say "
            "--overwrite"
        )


def write_page(path: Path, text: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        SerError: it cannot be written.
    """
    try:
        atomic_text(path, text)
    except OSError as error:
        raise SerError(f"--out {path}: cannot be written: {error.strerror}") from error
