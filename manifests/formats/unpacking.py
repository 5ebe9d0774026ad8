"""Sound that lies inside a data set, written as files below a corpus root."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InputError, SerError
from ...files import atomic_write
from ..paths import is_inside
from .columns import as_text

_FILE_NAME = re.compile(r'[^<>:"|?*\\/\x00-\x1f]{1,200}')
_BEGINNINGS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"FORM": ".aiff", b"ID3": ".mp3"}


class Unpacked:
    """The audio of a data set as files below a root."""

    def __init__(self, place: str, root: Path) -> None:
        self.place, self.root = place, root.resolve()
        self._home = Path(place).expanduser().resolve()
        self._taken: set[str] = set()
        self._first: dict[tuple[str, str, bytes], tuple[str, str]] = {}

    def path(self, audio: Any, fallback: str, split: str, emotion: str) -> str:
        """The path of the audio of a row, which is written where it is no file yet.

        A row that another split has too, by name, sound and emotion, has the path of that one.
        """
        if isinstance(audio, bytes):
            audio = {"bytes": audio}
        if not isinstance(audio, dict):
            audio = {"path": audio}
        data, path = audio.get("bytes"), as_text(audio.get("path"))
        if data is None:
            self._check_no_archive(path)
            return path
        if self._home == self.root:
            raise InputError(
                f"{self.place}: its audio is inside; say in which folder the files are to be "
                "written: --root DIR"
            )
        row = (path, emotion, hashlib.sha256(data).digest())
        first_split, first = self._first.get(row, (split, ""))
        if path and first_split != split:
            return first
        name = self._name(path, fallback, data)
        self._write(name, data)
        self._first.setdefault(row, (split, name))
        return name

    def _check_no_archive(self, path: str) -> None:
        """Refuse what the library calls a file in a zip."""
        if path.startswith("zip://"):
            archive = PurePosixPath(path.rpartition("::")[2]).name
            raise InputError(
                f"{self.place}: its audio is in the archive {archive}; unzip that into a folder, "
                "and give the folder: --from hf:FOLDER"
            )

    def _name(self, path: str, fallback: str, data: bytes) -> str:
        """The path that the data set has, if it can be one here and is of one row alone."""
        parts = PurePosixPath(path).parts
        if not (parts and is_inside(path) and all(map(_is_file_name, parts))):
            path = parts[-1] if parts and _is_file_name(parts[-1]) else ""
        if not path or path.lower() in self._taken:
            start = fallback if _is_file_name(fallback) else f"row-{len(self._taken):06}"
            path = start + _suffix(path, data)
        if path.lower() in self._taken:
            path = f"{len(self._taken):06}-{path}"
        self._taken.add(path.lower())
        return path

    def _write(self, name: str, data: bytes) -> None:
        target = self.root / name
        try:
            if target.is_file() and target.read_bytes() == data:
                return
            if target.exists() or not target.resolve().is_relative_to(self.root):
                raise InputError(
                    f"{target}: is there and is other audio than that of {self.place}; choose "
                    "another --root"
                )
            atomic_write(target, lambda partial: partial.write_bytes(data))
        except OSError as error:
            raise SerError(f"{target}: cannot be written: {error.strerror}") from error


def _is_file_name(name: str) -> bool:
    """Whether a name can be a file's on every system."""
    return bool(_FILE_NAME.fullmatch(name)) and name[-1] not in ". " and name.strip(".") != ""


def _suffix(path: str, data: bytes) -> str:
    """The suffix of a file, by its name or by how it begins."""
    begins = (suffix for start, suffix in _BEGINNINGS.items() if data.startswith(start))
    return PurePosixPath(path).suffix or next(begins, ".wav")
