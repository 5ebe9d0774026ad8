"""What is known of audio files that were looked at before, on this machine: the good and the bad.

A convenience, apart from the feature cache, which travels: where it is missing, damaged or
read-only, good files are simply decoded again, and bad ones told again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import msgspec

from ..files import atomic_text, path_text, read_json
from ..remembered import Remembered
from .audio import HASH_DIGITS
from .fingerprint import PATTERN
from .paths import restored_path

_MOST_BYTES = 1 << 30

_SETTLED = 3_000_000_000
"""Nanoseconds. A file changed this recently could change again within the clock's resolution."""

Stamp = tuple[int, int, int]


def stamp(path: Path | str) -> Stamp | None:
    """Size, modification and change time (ns) of a file; None if there is no such file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast as Path, and called for every file
    except OSError:
        return None
    # The change time moves even where an archive or a copy sets the modification time.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class Probe(msgspec.Struct, frozen=True, array_like=True):
    """What decoding a good file showed, and the stamp that the file had."""

    size: int
    modified: int
    changed: int
    duration: Annotated[float, msgspec.Meta(gt=0)]
    audio_hash: Annotated[str, msgspec.Meta(pattern=rf"^[0-9a-f]{{{HASH_DIGITS}}}\Z")]
    fingerprint: Annotated[str, msgspec.Meta(pattern=rf"^({PATTERN})?\Z")]

    @property
    def stamp(self) -> Stamp:
        """What `stamp` said of the file."""
        return self.size, self.modified, self.changed


@dataclass(frozen=True)
class BadFile:
    """An utterance whose audio cannot be used, and why."""

    id: str
    path: str
    reason: str


class _Content(msgspec.Struct):
    root: str


class _Probes(_Content):
    format: Literal[2]
    """To be raised whenever `read_audio` refuses other files, or a hash or fingerprint is other."""
    files: dict[str, Probe]


class _BadFiles(_Content):
    format: Literal[1]
    bad: list[tuple[str, str, str, str]]
    """Path, stamp, scope, reason."""


C = TypeVar("C", bound=_Content)


class _Memory:
    """One JSON file per corpus root below `folder`."""

    _suffix = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> Self:
        """The user's own."""
        from platformdirs import user_cache_path

        return cls(user_cache_path("ser-probes", appauthor=False))

    def _read(self, root: Path | str, kind: type[C]) -> C | None:
        """What was written for a root; None where there is nothing, or anything is odd."""
        try:
            content = read_json(self._file(root), kind, most=_MOST_BYTES)
            self._file(root).touch()
        except (OSError, ValueError):
            return None
        return content if content.root == _name(root) else None

    def _write(self, root: Path | str, content: _Content) -> None:
        """Does nothing where it cannot write."""
        with suppress(OSError, ValueError):  # the latter: a name that is no valid text
            atomic_text(self._file(root), msgspec.json.encode(content).decode() + "\n")
            Remembered(self.folder, ".json").forget()

    def _file(self, root: Path | str) -> Path:
        name = hashlib.sha256(_name(root).encode()).hexdigest()[:16]
        return self.folder / f"{name}{self._suffix}.json"


def _name(root: Path | str) -> str:
    return root if isinstance(root, str) else path_text(root.resolve())


class ProbeCache(_Memory):
    """Probes of earlier builds."""

    def load(self, root: Path) -> dict[str, Probe]:
        """Give what is known of a root's files, by stored path."""
        content = self._read(root, _Probes)
        return content.files if content else {}

    def save(self, root: Path, known: Mapping[str, Probe]) -> None:
        """Remember probes of a root's files."""
        newest = time.time_ns() - _SETTLED
        files = {n: p for n, p in sorted(known.items()) if max(p.modified, p.changed) < newest}
        self._write(root, _Probes(_name(root), 2, files))


class BadFileMemory(_Memory):
    """Bad files of earlier runs, so that what is new stands out. Each is tried again in every run:
    what is remembered only decides how it is told, and the exit code."""

    _suffix = "-bad"

    def remember(
        self,
        root: Path | str,
        bad: Iterable[BadFile],
        scope: Callable[[BadFile], str] = lambda _: "",
    ) -> list[BadFile]:
        """Remember bad files, and give those that were not known.

        One is known while its file is the same (size and times), and as bad for the same feature
        for the same reason.

        Args:
            root: a folder, or the URL of one elsewhere, without credentials.
            scope: what a file is bad for: the hash of a feature's key, or nothing for the audio.
        """

        def stamp_of(path: str) -> str:
            return " ".join(map(str, stamp(f"{root}/{restored_path(path)}") or ()))

        records = {file: (file.path, stamp_of(file.path), scope(file), file.reason) for file in bad}
        content = self._read(root, _BadFiles)
        known = set(content.bad) if content else set()
        if new := [file for file, record in records.items() if record not in known]:
            paths = {file.path for file in new}
            # Of a file that changed, what was said of it before means nothing.
            still = {r for r in known if r[0] not in paths or r[1] == stamp_of(r[0])}
            self._write(root, _BadFiles(_name(root), 1, sorted(still | {*records.values()})))
        return new
