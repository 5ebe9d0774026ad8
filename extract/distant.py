"""Audio that lies elsewhere, below a URL: fetched a file at a time, and not kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import AudioError, SerError
from ..manifests import audio_path
from ..manifests.paths import restored_path

if TYPE_CHECKING:
    from ..cache.remotes import Place
    from ..cache.remotes.place import Moved

Root = Path | str
"""That the paths of a manifest begin from: a folder, or the URL of one elsewhere."""


def as_root(root: Path | str) -> Root:
    """A URL as it is, and of anything else the path."""
    return str(root) if "://" in str(root) else Path(root)


@contextmanager
def audio_file(root: Root, stored: str) -> Iterator[Path]:
    """The file of a manifest's `path` below a root, for as long as it is looked at.

    Raises:
        AudioError: none is at that URL.
        SerError: it cannot be fetched.
    """
    if isinstance(root, Path):
        yield audio_path(root, stored)
        return
    from ..cache.remotes.transfers import carry_all  # late: it takes a twentieth of a second

    name = restored_path(stored)
    with tempfile.TemporaryDirectory(prefix="ser-") as folder:
        file = Path(folder) / f"audio{PurePosixPath(name).suffix}"
        carry_all({name: None}, lambda *asked: _fetch(root, file, *asked), 1, None)
        yield file


def _fetch(root: str, file: Path, name: str, size: int | None, moved: Moved) -> None:
    try:
        _place(root).receive(name, size, file, moved)
    except SerError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise AudioError(f"no such file at {_place(root)}") from error
        raise


@lru_cache(8)
def _place(root: str) -> Place:
    """One connection for all files of a corpus."""
    from ..cache.remotes import open_place

    return open_place(root)
