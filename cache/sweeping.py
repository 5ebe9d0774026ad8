"""Removing what writers left that were killed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import SerError
from ..files import PARTIAL
from .folders import feature_folders
from .opening import is_own

STALE_SECONDS = 24 * 3600
"""No file takes so long to write."""
_IN_ROOT = re.compile(re.escape(PARTIAL) + r"[0-9a-f]{32}")


def leftovers(cache: Path) -> Iterator[Path]:
    """Files anywhere in a cache that writers began more than a day ago and never finished."""
    now = time.time()
    try:
        folders = [cache / "manifests", cache / "features", *feature_folders(cache)]
    except SerError:
        folders = [cache / "manifests"]  # whoever reads the features says what is wrong there
    for folder in (cache, *folders):
        for path in _partial_files(folder) if is_own(folder, cache) else ():
            # The user may keep other files beside a cache.
            if folder == cache and not _IN_ROOT.fullmatch(path.name):
                continue
            try:
                if now - path.lstat().st_mtime > STALE_SECONDS and not path.is_dir():
                    yield path
            except OSError:
                continue  # another process swept it


def sweep(cache: Path) -> None:
    """Remove what crashed writers left anywhere in a cache more than a day ago, if one may."""
    for path in leftovers(cache):
        try:
            path.unlink()
        except OSError:
            continue  # another process swept it or has it open, or it is not ours to remove


def _partial_files(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder) if name.startswith(PARTIAL)]  # noqa: PTH208
    except OSError:
        return []
