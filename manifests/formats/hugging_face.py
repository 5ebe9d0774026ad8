"""Data sets of Hugging Face: what `save_to_disk` made, a folder that `load_dataset` reads, or a
repository of the hub.

Audio inside of one is written into the corpus root, a file for each row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import (
    InputError,
    MissingPackageError,
    SerError,
    did_you_mean,
    install_command,
    listing,
)
from ...files import atomic_write, read_json
from ..paths import is_inside
from ..tables import Table
from .columns import as_table, as_text, find_roles, known_column
from .form import Options

_AUDIO_COLUMNS = (
    "audio",
    "path",
    "file",
    "file_name",
    "filename",
    "audio_path",
    "file_path",
    "wav",
)
"""Names of columns that have paths, where none has the type of audio."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_FILE_NAME = re.compile(r'[^<>:"|?*\\/\x00-\x1f]{1,200}')
_BEGINNINGS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"FORM": ".aiff", b"ID3": ".mp3"}


def read_dataset(place: str, root: Path, options: Options) -> Table:
    """The rows of all parts of a data set, or of the one that the option `split` names.

    Raises:
        InputError: it is none, or there is no column of audio or of emotions.
        MissingPackageError: datasets is not installed.
        SerError: audio cannot be written.
    """
    with _told(place) as datasets:
        parts = _parts(datasets, place, options)
        features = next(iter(parts.values())).features
        audio = _audio_column(datasets, features, options, place)
        fields = _fields(datasets, features, audio)
        names = list(fields)
        roles = find_roles(names, options, place)
        columns: dict[str, list[str]] = {name: [] for name in ("path", "split", *names)}
        unpacked = _Unpacked(place, root)
        for split, part in parts.items():
            if isinstance(features[audio], datasets.Audio):
                part = part.cast_column(audio, datasets.Audio(decode=False))
            wanted = dict.fromkeys([audio, *(each.column for each in fields.values())])
            rows = part.with_format(None).select_columns(list(wanted))
            for number, row in enumerate(rows):
                for name, field in fields.items():
                    columns[name].append(field.cell(row))
                fallback = columns[roles["id"]][-1] if "id" in roles else f"{split}-{number:06}"
                columns["path"].append(unpacked.path(row[audio], fallback))
                if "split" not in names:
                    columns["split"].append(split)
    others = sorted(features.keys() - wanted.keys())
    notes = [f"columns of other types were left out: {listing(others)}"] if others else []
    if len(parts) == 1 and "split" not in names:
        del columns["split"]
    table = {"path": columns.pop("path")} | as_table(columns, roles)
    licence = as_text(next(iter(parts.values())).info.license)
    return Table(place, table, range(1, len(table["path"]) + 1), "row", notes, licence)


@contextmanager
def _told(place: str) -> Iterator[Any]:
    """The library, quiet; what it raises is told as what is wrong with the data set."""
    try:
        import datasets
    except ImportError as error:
        raise MissingPackageError(
            f"data sets of Hugging Face need datasets: {install_command('datasets')}"
        ) from error
    shown = not datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    except SerError:
        raise
    except Exception as error:  # datasets and pyarrow raise nearly anything
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        why = f"{type(cause).__name__}: {cause!s:.300}".splitlines()[0]
        kind = (
            "it"
            if Path(place).expanduser().exists()
            else "the repository (there is no such folder)"
        )
        raise InputError(f"{place}: datasets cannot read {kind}: {why}") from error
    finally:
        if shown:
            datasets.enable_progress_bars()


@contextmanager
def _sound_as_it_is(datasets: Any) -> Iterator[None]:
    """Have the library keep paths and bytes of sound without the decoder that it wants for any.

    That one needs FFmpeg, and is not asked to decode.
    """
    encode = datasets.Audio.encode_example

    def keep(feature: Any, value: Any) -> Any:
        if isinstance(value, str):
            return {"bytes": None, "path": value}
        if isinstance(value, dict) and "array" not in value:
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        return encode(feature, value)

    datasets.Audio.encode_example = keep
    try:
        yield
    finally:
        datasets.Audio.encode_example = encode


def _parts(datasets: Any, place: str, options: Options) -> Mapping[str, Any]:
    """The parts of a data set by their names."""
    folder = Path(place).expanduser()
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        _check_saved(folder)
        loaded = datasets.load_from_disk(str(folder))
    elif folder.is_dir() or _REPOSITORY.fullmatch(place):
        where = str(folder) if folder.is_dir() else place
        revision = None if folder.is_dir() else options.get("revision")
        builder = datasets.load_dataset_builder(where, options.get("config"), revision=revision)
        _check_sources(builder, folder if folder.is_dir() else None, place)
        with _sound_as_it_is(datasets):
            builder.download_and_prepare()
        loaded = builder.as_dataset()
    else:
        raise InputError(
            f"no such folder: {place}; expected what save_to_disk made, a folder that load_dataset "
            "reads, or a repository such as NAME/DATASET"
        )
    is_dict = isinstance(loaded, datasets.DatasetDict)
    parts: dict[str, Any] = dict(loaded) if is_dict else {str(loaded.split or "all"): loaded}
    if wanted := options.get("split"):
        if wanted not in parts:
            raise InputError(
                f"{place}: has no split {wanted!r}{did_you_mean(wanted, parts)}; there are "
                f"{', '.join(parts)}"
            )
        return {wanted: parts[wanted]}
    if not parts:
        raise InputError(f"{place}: has no splits")
    return parts


def _check_saved(folder: Path) -> None:
    """Refuse a saved data set whose files are said to lie elsewhere, or are links that lead there.

    Raises:
        InputError: so it is, or it cannot be read.
    """
    try:
        parts = [folder]
        if (folder / "dataset_dict.json").is_file():
            splits = read_json(folder / "dataset_dict.json", dict[str, list[str]], folder)
            parts = [_below(folder, name) for name in splits.get("splits", [])]
        for part in parts:
            state = read_json(part / "state.json", dict[str, Any], folder)
            for file in state.get("_data_files", []):
                _below(part, file["filename"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: is no data set as save_to_disk makes it: {error}") from error


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    if not is_inside(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r:.100} is no file in {folder}")
    return path


def _check_sources(builder: Any, folder: Path | None, place: str) -> None:
    """Refuse a data set whose card has files of elsewhere read."""
    home = f"hf://datasets/{place}@"
    for files in (builder.config.data_files or {}).values():
        for file in files:
            inside = (
                str(file).startswith(home)
                if folder is None
                else Path(file).resolve().is_relative_to(folder.resolve())
            )
            if not inside:
                raise InputError(f"{place}: has a file read that is none of its own: {file!s:.200}")


def _audio_column(datasets: Any, features: Any, options: Options, place: str) -> str:
    if column := options.get("audio"):
        return known_column(column, list(features), "audio=", place)
    typed = [name for name, kind in features.items() if isinstance(kind, datasets.Audio)]
    if len(typed) > 1:
        raise InputError(f"{place}: several columns have audio; choose: --option audio={typed[0]}")
    named = [name for name in _AUDIO_COLUMNS if name in features]
    if not typed and not named:
        raise InputError(
            f"{place}: no column has audio, or paths of it; there are {listing(features, 20)}: "
            "--option audio=COLUMN"
        )
    return str((typed or named)[0])


@dataclass(frozen=True)
class _Field:
    """What becomes a column: one of the data set, or a part of one that is made of parts."""

    column: str
    part: str | None
    names: Sequence[str] | None

    def cell(self, row: Mapping[str, Any]) -> str:
        """The value as text, the number of a class as its name; a negative one is none."""
        value = row[self.column]
        if self.part is not None:
            value = (value or {}).get(self.part)
        if self.names is not None and isinstance(value, int) and value < len(self.names):
            return self.names[value] if value >= 0 else ""
        return as_text(value)


def _fields(datasets: Any, features: Mapping[str, Any], audio: str) -> dict[str, _Field]:
    """All that is text, numbers or classes, by the names that columns get."""

    def is_plain(kind: Any) -> bool:
        binary = ("binary", "large_binary")
        is_value = isinstance(kind, datasets.Value) and kind.dtype not in binary
        return is_value or isinstance(kind, datasets.ClassLabel)

    def names(kind: Any) -> Sequence[str] | None:
        return kind.names if isinstance(kind, datasets.ClassLabel) else None

    fields = {
        name: _Field(name, None, names(kind))
        for name, kind in features.items()
        if name != audio and is_plain(kind)
    }
    for name, kind in features.items():
        if isinstance(kind, dict) and name != audio:
            for part, each in kind.items():
                if is_plain(each):
                    title = f"{name}.{part}" if part in features else part
                    fields.setdefault(title, _Field(name, part, names(each)))
    return fields


class _Unpacked:
    """The audio of a data set as files below a root."""

    def __init__(self, place: str, root: Path) -> None:
        self.place, self.root = place, root
        self._taken: set[str] = set()

    def path(self, audio: Any, fallback: str) -> str:
        """The path of the audio of a row, which is written where it is no file yet."""
        if not isinstance(audio, dict):
            return as_text(audio)
        data, path = audio.get("bytes"), as_text(audio.get("path"))
        if data is None:
            return path
        home = Path(self.place).expanduser()
        if home.is_dir() and home.resolve() == self.root.resolve():
            raise InputError(
                f"{self.place}: its audio is inside; say in which folder the files are to be "
                "written: --root DIR"
            )
        name = self._name(path, fallback, data)
        self._write(name, data)
        return name

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
            if target.exists() or not target.resolve().is_relative_to(self.root.resolve()):
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
