"""The one exception family, and what its messages share: hints, lists, commands to type."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

# Every module loads this one, so that what only messages need is loaded for them.

BAD_FILES = 3
"""Exit code of a command that did its work, but for files that cannot be used and were not known
from an earlier run. The others: 0, all is done, or what is left out was known; 1, a failure; 2,
wrong usage or input."""

TO_DO = 2
"""Exit code of `--dry-run` where there is something to do; 0 where there is nothing. Wrong input,
which is something to do as well, has the same."""


class SerError(Exception):
    """A failure that the user can understand; the command line exits with `exit_code`."""

    exit_code = 1


class InputError(SerError):
    """Wrong usage or wrong input: exit code 2."""

    exit_code = 2


class AudioError(InputError):
    """One audio file that cannot be used; the message is the reason, without the path."""


class LeakError(InputError):
    """A split in which something of the test or validation part is seen in training."""


class MissingFeaturesError(InputError):
    """Features that training asks for are not in the cache."""


class CorruptShardError(SerError):
    """A shard whose bytes are not those that were written, or that was never a valid shard."""


class MissingPackageError(SerError):
    """An optional package is needed; the message names the extra that brings it."""


class MissingWeightsError(SerError):
    """Weights of a model are not on this machine; the message says how to get them."""


def did_you_mean(word: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """Give ` (did you mean 'x'?)` for the choices that resemble `word`, else the empty string."""
    import difflib

    near = difflib.get_close_matches(word, list(choices), n=3, cutoff=cutoff)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def listing(items: Iterable[str], limit: int = 5) -> str:
    """Join the first `limit` items with commas and say how many more there are."""
    every = list(items)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


DISTRIBUTION = "multilingual-ser"
"""What the package is called where packages are published; `ser` there is somebody else's."""


def install_command(extra: str) -> str:
    """The line that brings an extra into the environment that runs this, as it was installed."""
    source, editable = _checkout()
    if source is None:
        return pip_command(f"{DISTRIBUTION}[{extra}]")
    constraints = source / "constraints.txt"
    words = ["-c", str(constraints)] if constraints.is_file() else []
    return pip_command(*words, *(["-e"] if editable else []), f"{source}[{extra}]")


def pip_command(*words: str) -> str:
    """A line that has pip install something into the environment that runs this."""
    import shlex
    import subprocess

    line = [sys.executable or "python", "-m", "pip", "install", *words]
    return subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)


def _checkout() -> tuple[Path | None, bool]:
    """The folder that this was installed from and whether it is used in place, if it is there."""
    import json
    from importlib import metadata
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        record = json.loads(text or "{}")
        url = urlsplit(record.get("url", ""))
        editable = bool(record.get("dir_info", {}).get("editable"))
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None, False
    folder = Path(url2pathname(url.path))
    is_checkout = url.scheme == "file" and (folder / "setup.cfg").is_file()
    return (folder, editable) if is_checkout else (None, False)
