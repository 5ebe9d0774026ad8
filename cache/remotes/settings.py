"""Where a team's place is: `SER_REMOTE`, or a line in the settings of a cache."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from ...errors import InputError
from ...files import atomic_text, read_regular
from ..access import GONE, read_error, write_error
from .place import is_remote, without_credentials

SETTINGS = "settings.toml"
"""Name of the file below a cache; `remote = "s3://bucket/ser"` is all that it holds."""
MOST_BYTES = 64 << 10


def team_place(cache: Path) -> str:
    """The folder or URL that `ser cache push` and `pull` mean when none is named.

    Raises:
        InputError: none is known; the message says how to name one. Or the settings are none.
        SerError: the settings cannot be read.
    """
    place = os.environ.get("SER_REMOTE") or _settings(cache).get("remote")
    if not place:
        raise InputError(
            "no place is named, and none is known. Name a folder or a URL, such as s3://bucket/ser;"
            f" or set SER_REMOTE; or lay it down in {cache / SETTINGS} with --remember"
        )
    return place


def remember(cache: Path, place: str) -> None:
    """Lay down the place in the settings of a cache.

    Raises:
        InputError: it holds a password, which would lie there for all to read.
        SerError: the cache cannot be written.
    """
    if is_remote(place) and without_credentials(place).rstrip("/") != place.rstrip("/"):
        raise InputError(
            f"{without_credentials(place)}: --remember keeps no passwords and keys. Leave them to "
            "the protocol: ~/.ssh, ~/.aws, the environment"
        )
    given = place if is_remote(place) else str(Path(place).expanduser().absolute())
    text = given.replace("\\", "\\\\").replace('"', '\\"')
    try:
        atomic_text(cache / SETTINGS, f'remote = "{text}"\n')
    except OSError as error:
        raise write_error(cache, error) from error


def _settings(cache: Path) -> dict[str, str]:
    path = cache / SETTINGS
    try:
        settings = tomllib.loads(read_regular(path, MOST_BYTES, cache).decode())
    except OSError as error:
        if error.errno in GONE:
            return {}
        raise read_error(path, error) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None
    remote = settings.get("remote", "")
    if set(settings) - {"remote"} or not isinstance(remote, str):
        raise InputError(f'{path}: expected one line, remote = "FOLDER or URL"')
    return {"remote": remote} if remote else {}
