"""Where a page goes, without replacing anything else."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, SerError
from ..files import atomic_text, open_regular
from .page import MARK


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a file that is there and is no such page, and one that is not named as a page is.

    Raises:
        InputError: it is something else, or a folder, or its name does not end in .html.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"--out {path}: expected a name that ends in .html; a browser prints the page to PDF, "
            "and --figures writes the figures as such"
        )
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
