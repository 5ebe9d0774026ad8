"""Where the audio of a corpus lies: as it was given, or as the environment has it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError


def root_variable(corpus: str) -> str:
    """Name the environment variable that tells where a corpus lies: `SER_EMODB_ROOT`."""
    return f"SER_{corpus.upper().replace('-', '_')}_ROOT"


def find_root(corpus: str) -> Path | None:
    """Give the corpus root that the environment names; None if it names none."""
    value = os.environ.get(root_variable(corpus), "").strip()
    return Path(value).expanduser() if value else None


def corpus_root(corpus: str, root: Path | str | None = None, home: Path | None = None) -> Path:
    """The root of a corpus: as given, else as the environment has it, else `home`.

    Raises:
        InputError: none of these is there, or it is no folder.
    """
    if "://" in str(root):
        raise InputError(
            f"{corpus}: a corpus is scanned where its files are, not by a URL. Build its manifest "
            "there, with `ser manifest build`, and give it to ser extract: "
            "--manifest FILE --root URL"
        )
    folder = Path(root) if root else find_root(corpus) or home
    if folder is None:
        raise InputError(f"where is {corpus}? Give --root DIR, or set {root_variable(corpus)}")
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InputError(f"{folder} is a file; the root of {corpus} is a folder")
    raise InputError(f"no such folder: {folder}; expected the root of {corpus}")
