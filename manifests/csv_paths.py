"""The paths that a user's CSV has: relative to the corpus root, or absolute and inside it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from .missing import is_missing
from .paths import audio_path, composed_path, exists, is_inside, stored_path


class OutsideError(ValueError):
    """An absolute path that does not lie in the corpus root."""


def path_in_root(written: str, root: Path) -> str:
    """Give the stored form of a path that a user wrote.

    Raises:
        OutsideError: it is absolute and not in `root`.
        ValueError: it is missing, or leaves the root.
    """
    if not exists(root / written):
        written = written.strip()
    if not written or (is_missing(written) and not exists(root / written)):
        raise ValueError(f"the path is missing{f' ({written!r})' if written else ''}")
    if (absolute := _absolute(written)) is not None:
        base = _base(absolute, root)
        if base is None or not isinstance(absolute, type(PurePath())):
            raise OutsideError(f"the path {written!r} does not lie in the corpus root {root}")
        path = Path(absolute).relative_to(base)
    else:
        windows = "\\" in written and not exists(root / written)  # where the table was made
        path = Path(written.replace("\\", "/") if windows else written)
    relative = path.as_posix()
    if not is_inside(relative):
        raise ValueError(f"the path {written!r} leaves the corpus root {root}")
    composed = composed_path(root, relative)
    stored = stored_path(composed)
    # A path copied from a manifest is in the stored form already.
    copied = not exists(audio_path(root, stored)) and exists(audio_path(root, composed))
    return composed if copied else stored


def outside_root(paths: Sequence[str], root: Path) -> str:
    """Say what to do where `paths`, all of a table's as they are written, lie outside the root."""
    absolute = [path for written in paths if (path := _absolute(written.strip())) is not None]
    outside = [path for path in absolute if _base(path, root) is None]
    count = sum(exists(Path(path)) for path in outside)
    if not count:
        return "No such file exists on this machine. " + _relative(outside[0], root)
    try:
        common = Path(os.path.commonpath([str(path.parent) for path in absolute]))
        for written in paths:
            path_in_root(written, common)
        others = [written for written in paths if _absolute(written.strip()) is None]
        fits = all(exists(audio_path(common, path_in_root(path, common))) for path in others)
    except ValueError:
        fits = False
    if not fits:
        return f"{count} of them exist. Write all paths relative to one folder, and give it: --root"
    missing = f", where {count} of them exist" if count < len(outside) else ""
    return f"Their common folder is {common}{missing}: --root {shlex.quote(str(common))}"


def _absolute(written: str) -> PurePath | None:
    """The path, if it is an absolute one of any system, or in a `file:` address."""
    if written.lower().startswith("file:"):
        try:
            written = unquote(urlsplit(written).path)
        except ValueError:
            return None
        if PureWindowsPath(written[1:]).drive:  # file:///C:/x.wav
            written = written[1:]
    here = Path(os.path.expanduser(written))  # noqa: PTH111 - unlike Path's, it never raises
    forms = (here, PureWindowsPath(written), PurePosixPath(written))
    return next((form for form in forms if form.is_absolute()), None)


def _base(path: PurePath, root: Path) -> Path | None:
    """The root as a path below it begins; None if the path is not below."""
    return next((b for b in (root.absolute(), root.resolve()) if path.is_relative_to(b)), None)


def _relative(path: PurePath, root: Path) -> str:
    """How to write an absolute path of another machine: as what lies below the root, if it does."""
    tails = (PurePosixPath(*path.parts[first:]) for first in range(1, len(path.parts)))
    below = next((tail for tail in tails if exists(root / tail)), None)
    if below is None:
        return "Write paths relative to the folder that holds the audio here, and give it: --root"
    return f"Write paths relative to {root}: {str(below)!r} is there"
