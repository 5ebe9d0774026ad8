"""How an optional package is installed, from where the user stands."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

DISTRIBUTION = "multilingual-ser"
"""What the package is called where packages are published; `ser` there is somebody else's."""


def install_command(extra: str) -> str:
    """The line that brings an extra into the environment that runs this, as it was installed."""
    source, editable = _checkout()
    if source is None:
        words = [f"{DISTRIBUTION}[{extra}]"]
    else:
        constraints = source / "constraints.txt"
        words = ["-c", str(constraints)] if constraints.is_file() else []
        words += [*(["-e"] if editable else []), f"{source}[{extra}]"]
    return pip_command(*words)


def pip_command(*words: str) -> str:
    """A line that has pip install something into the environment that runs this."""
    line = [sys.executable or "python", "-m", "pip", "install", *words]
    return subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)


def _checkout() -> tuple[Path | None, bool]:
    """The folder that this was installed from and whether it is used in place, if it is there."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        record = json.loads(text or "{}")
        url = urlsplit(record.get("url", ""))
        editable = bool(record.get("dir_info", {}).get("editable"))
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None, False
    folder = Path(url2pathname(url.path))
    there = url.scheme == "file" and (folder / "setup.cfg").is_file()
    return (folder, editable) if there else (None, False)
