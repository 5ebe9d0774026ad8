"""Which files were found bad before, on this machine: so that what is new stands out.

Beside the memory of good files (`ProbeCache`), and as that a convenience: a file is tried again in
every run; what is remembered only decides how it is told, and the exit code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import atomic_text, read_regular
from .build import BadFile
from .paths import restored_path
from .probes import ProbeCache, stamp

FORMAT = 1
_MOST_BYTES = 64 << 20

Scope = Callable[[BadFile], str]
"""What a bad file is bad for: the hash of a feature's key, or nothing for the audio itself."""


class BadFileMemory:
    """Bad files of earlier runs, in one JSON file per corpus root below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> BadFileMemory:
        """The user's own on this machine."""
        return cls(ProbeCache.default().folder)

    def remember(
        self, root: Path, bad: Iterable[BadFile], scope: Scope = lambda _: ""
    ) -> list[BadFile]:
        """Remember bad files, and give those that were not known.

        One is known while its file is the same (size and times), and as bad for the same feature
        for the same reason.
        """
        found = {file: _record(root, file, scope(file)) for file in bad}
        known = self._load(root)
        new = [file for file, record in found.items() if record not in known]
        if new:
            paths = {file.path for file in new}
            # Of a file that changed, what was said of it before means nothing.
            still = [r for r in known if r[0] not in paths or r[1] == _stamp(root, r[0])]
            self._save(root, {*still, *found.values()})
        return new

    def _load(self, root: Path) -> set[_Record]:
        """Whatever is odd is left out."""
        try:
            content = json.loads(read_regular(self._file(root), _MOST_BYTES))
            if content["format"] != FORMAT or content["root"] != str(root.resolve()):
                return set()
            records = [tuple(record) for record in content["bad"]]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return set()
        return {(a, b, c, d) for a, b, c, d in (r for r in records if _is_record(r))}

    def _save(self, root: Path, records: Iterable[_Record]) -> None:
        """Does nothing where it cannot write."""
        content = {"format": FORMAT, "root": str(root.resolve()), "bad": sorted(records)}
        try:
            atomic_text(self._file(root), json.dumps(content, indent=0) + "\n")
        except OSError:
            return

    def _file(self, root: Path) -> Path:
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
        return self.folder / f"{name}-bad.json"


_Record = tuple[str, str, str, str]
"""Path, stamp, scope, reason."""


def _record(root: Path, file: BadFile, scope: str) -> _Record:
    return file.path, _stamp(root, file.path), scope, file.reason


def _stamp(root: Path, path: str) -> str:
    """The stamp of a file as text; empty where there is none."""
    return " ".join(map(str, stamp(f"{root}/{restored_path(path)}") or ()))


def _is_record(record: tuple[object, ...]) -> bool:
    return len(record) == 4 and all(isinstance(part, str) for part in record)
