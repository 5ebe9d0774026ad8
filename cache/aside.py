"""Taking a shard away only where the others hold all of it, whoever else does so at once."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..files import open_regular
from .access import write_error
from .layout import SHARD_NAME

ASIDE = ".aside-"
"""Prefix of shards that are about to go; no reader looks at them."""
_NAME = re.compile(re.escape(ASIDE) + "[0-9a-f]{32}-(.+)")


def take_out(path: Path, can_go: Callable[[], bool]) -> bool:
    """Remove a shard, unless others that were to stay are gone by now.

    It is made invisible first and then looked whether the rest is enough: two processes that do
    this at once put back what both have taken.

    Args:
        can_go: whether the rest is enough.

    Returns:
        Whether it was removed, by this process.

    Raises:
        SerError: the folder cannot be written.
    """
    aside = path.with_name(f"{ASIDE}{uuid.uuid4().hex}-{path.name}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    except OSError as error:
        if os.name == "nt" and isinstance(error, PermissionError):
            return False  # somebody reads it: it goes another time
        raise write_error(path.parent, error) from error
    going = False
    try:
        going = can_go()
    finally:
        if going:
            aside.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):  # another process put it back
                aside.replace(path)
    return going


def put_back(folder: Path) -> None:
    """Put back the shards in a feature folder that killed processes were about to remove.

    One that another process is about to remove at this moment stays then, which does no harm.
    """
    with suppress(OSError):  # whoever reads the folder says what is wrong with it
        for path in list(folder.glob(f"{ASIDE}*")):
            name = _NAME.fullmatch(path.name)
            if name and SHARD_NAME.fullmatch(name[1]) and not path.is_symlink():
                with suppress(OSError):
                    path.replace(path.with_name(name[1]))


def is_there(path: Path) -> bool:
    """Whether a shard can be opened now.

    Opened, and not only looked at: what is remembered of files on network drives is seconds old.
    """
    try:
        open_regular(path).close()
    except OSError:
        return False
    return True
