"""What is known of audio files that were decoded before, on this machine.

A file counts as known while its path, size, modification and change times are the same. The memory
is a convenience: where it is missing, damaged or read-only, files are simply decoded again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ..files import atomic_text, read_regular
from .audio import HASH_DIGITS
from .fingerprint import is_fingerprint

FORMAT = 2
"""To be raised whenever `read_audio` refuses other files, or a hash or fingerprint is other."""

_MOST_BYTES = 1 << 30
_UNUSED = 180 * 86_400.0
"""Seconds."""

_SETTLED = 3_000_000_000
"""Nanoseconds. A file changed this recently could change again within the clock's resolution."""

_TYPES = [int, int, int, float, str, str]
_HASH = re.compile(f"[0-9a-f]{{{HASH_DIGITS}}}")


@dataclass(frozen=True)
class Probe:
    """What decoding a good file showed: seconds, the audio hash, and the fingerprint."""

    duration: float
    audio_hash: str
    fingerprint: str


Stamp = tuple[int, int, int]


def stamp(path: Path | str) -> Stamp | None:
    """Size, modification and change time (ns) of a file; None if there is no such file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast as Path, and called for every file
    except OSError:
        return None
    # The change time moves even where an archive or a copy sets the modification time.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class ProbeCache:
    """Probes of earlier builds, in one JSON file per corpus root below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> ProbeCache:
        """The user's own on this machine, apart from the feature cache, which travels."""
        from platformdirs import user_cache_path

        return cls(user_cache_path("ser-probes", appauthor=False))

    def load(self, root: Path) -> dict[str, tuple[Stamp, Probe]]:
        """Give what is known of a root's files, by stored path; whatever is odd is left out."""
        try:
            content = json.loads(read_regular(self._file(root), _MOST_BYTES))
            if content["format"] != FORMAT or content["root"] != str(root.resolve()):
                return {}
            files = dict(content["files"])
            self._file(root).touch()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}
        known = {path: _parse(record) for path, record in files.items()}
        return {path: record for path, record in known.items() if record is not None}

    def save(self, root: Path, known: dict[str, tuple[Stamp, Probe]]) -> None:
        """Remember probes of a root's files; does nothing where it cannot write."""
        newest = time.time_ns() - _SETTLED
        files = {
            path: [*times, probe.duration, probe.audio_hash, probe.fingerprint]
            for path, (times, probe) in sorted(known.items())
            if max(times[1:]) < newest
        }
        content = {"format": FORMAT, "root": str(root.resolve()), "files": files}
        try:
            atomic_text(self._file(root), json.dumps(content, indent=0) + "\n")
            forget_unused(self.folder)
        except OSError:
            return

    def _file(self, root: Path) -> Path:
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
        return self.folder / f"{name}.json"


def forget_unused(folder: Path) -> None:
    """Remove what was remembered of corpora that were not used for half a year.

    Raises:
        OSError: the folder cannot be read or written.
    """
    oldest = time.time() - _UNUSED
    for path in folder.iterdir():
        if path.name.endswith(".json") and path.lstat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def _parse(record: object) -> tuple[Stamp, Probe] | None:
    if not isinstance(record, list) or list(map(type, record)) != _TYPES:
        return None
    size, modified, changed, duration, audio_hash, fingerprint = record
    if not (0 < duration < math.inf and _HASH.fullmatch(audio_hash)):
        return None
    if not is_fingerprint(fingerprint):
        return None
    return (size, modified, changed), Probe(duration, audio_hash, fingerprint)
