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
from ..manifests.paths import forms_of

if TYPE_CHECKING:
    from ..cache.remotes import Place
    from ..cache.remotes.place import Moved

Root = Path | str
"""That the paths of a manifest begin from: a folder, or the URL of one elsewhere."""


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

    with tempfile.TemporaryDirectory(prefix="ser-") as folder:
        file = Path(folder) / f"audio{PurePosixPath(stored).suffix}"
        carry_all({stored: None}, lambda *asked: _fetch(root, file, *asked), 1, None)
        file.touch()  # nothing comes of an empty one
        yield file


def _fetch(root: str, file: Path, stored: str, size: int | None, moved: Moved) -> None:
    """Fetch a file by the first of its names under which there is one."""
    from ..transfer.download import UselessError

    place = _place(root)
    for name in forms_of(stored):
        try:
            place.receive(name, size, file, moved)
        except UselessError as error:
            raise AudioError(str(error)) from error
        except SerError as error:
            # A name of bytes that are no text is none in a bucket.
            if not isinstance(error.__cause__, FileNotFoundError | UnicodeError):
                raise
        else:
            return
    raise AudioError(f"no such file at {place}")


@lru_cache(8)
def _place(root: str) -> Place:
    """One connection for all files of a corpus."""
    from ..cache.remotes import open_place

    return open_place(root)
