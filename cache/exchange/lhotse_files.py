"""Features of lhotse: the manifest `feats.jsonl` or `feats.jsonl.gz`, and what it leads to.

Its arrays as `.npy` are read here, its compressed ones by lhotse itself.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, MissingPackageError, SerError, install_command
from ...files import open_regular, parse_json
from ...manifests.paths import is_inside
from .arrays import Item, Rows, check_shape
from .npy_files import read_npy

_LONGEST = 1 << 20
"""Bytes of a line."""
_BY_LHOTSE = ("lilcom_files", "lilcom_chunky")
_FLOATS = np.dtype("f4")
_STORAGES = ("numpy_files", *_BY_LHOTSE)


@dataclass(frozen=True)
class _Entry:
    """A line of the manifest, as far as it matters."""

    num_frames: int
    num_features: int
    start: float
    storage_type: str
    storage_path: str
    storage_key: str
    recording_id: str | None = None


def lhotse_manifest(path: Path) -> Iterator[Item]:
    """The utterances of a manifest of lhotse's features, by the id of their recording.

    What it leads to must lie in its folder, or below.

    Raises:
        InputError: it is no such manifest, or leads elsewhere.
        MissingPackageError: features that lhotse has compressed, and it is not installed.
    """
    try:
        with open_regular(path) as file:
            start = file.read(2)
            file.seek(0)
            lines = gzip.GzipFile(fileobj=file) if start == b"\x1f\x8b" else file
            number = 0
            while line := lines.readline(_LONGEST):
                number += 1
                entry = _entry(f"{path}, line {number}", line)
                if entry.storage_type in _BY_LHOTSE:
                    _lhotse()
                name = entry.recording_id or ""
                yield name, partial(_rows, path.parent, entry)
            if not number:
                raise InputError(f"{path}: is empty")
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path}: a compressed file that is damaged: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _entry(where: str, line: bytes) -> _Entry:
    if len(line) == _LONGEST:
        raise InputError(f"{where}: longer than {_LONGEST} bytes")
    try:
        entry = parse_json(line, _Entry, where)
    except ValueError as error:
        raise InputError(f"{error}; expected a manifest of lhotse's features") from None
    if not entry.recording_id:
        raise InputError(f"{where}: has no recording_id, which is to name the utterance")
    if entry.start:
        raise InputError(f"{where}: begins at {entry.start} s; expected whole recordings")
    if entry.storage_type not in _STORAGES:
        raise InputError(
            f"{where}: features are stored as {entry.storage_type!r:.60}; those that are read: "
            f"{', '.join(_STORAGES)}. Copy them by lhotse, or save a .npy of each"
        )
    return entry


def _lhotse() -> Any:
    try:
        import lhotse.features.io
        import lilcom  # noqa: F401 - lhotse wants it when it reads
    except ImportError as error:
        raise MissingPackageError(
            f"features that lhotse has compressed need it: {install_command('lhotse')}"
        ) from error
    return lhotse.features.io


def _rows(folder: Path, entry: _Entry) -> Rows:
    check_shape((entry.num_frames, entry.num_features), _FLOATS)
    place = _place(folder, entry.storage_path)
    is_file = entry.storage_type == "lilcom_chunky"
    if not is_file and not is_inside(entry.storage_key):
        raise InputError(f"its file {entry.storage_key!r:.100} is no place below {place}")
    try:
        with open_regular(place if is_file else place / entry.storage_key, below=folder) as file:
            if entry.storage_type == "numpy_files":
                rows = read_npy(file)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if entry.storage_type != "numpy_files":
        rows = _read(entry, place)
    if rows.shape != (entry.num_frames, entry.num_features):
        raise InputError(
            f"the manifest says {entry.num_frames} x {entry.num_features}, its array is "
            f"{' x '.join(map(str, rows.shape))}"
        )
    return rows


def _place(folder: Path, written: str) -> Path:
    """A storage as lhotse writes it, relative to where it ran, if that is below the manifest."""
    real = folder.resolve()
    for place in (Path(written), folder / written, folder / Path(written).name):
        try:
            if place.resolve().is_relative_to(real) and place.exists():
                return place
        except (OSError, ValueError, RuntimeError):
            continue
    raise InputError(
        f"its storage {written!r:.200} is not in the folder of the manifest, {folder}; copy both "
        "into one folder"
    )


def _read(entry: _Entry, place: Path) -> Rows:
    try:
        reader = _lhotse().get_reader(entry.storage_type)(place)
        rows: Rows = reader.read(entry.storage_key)
    except SerError:
        raise
    except Exception as error:  # lhotse and lilcom raise nearly anything for what is damaged
        raise InputError(f"lhotse cannot read it: {error!s:.200}") from error
    check_shape(rows.shape, rows.dtype)
    return rows
