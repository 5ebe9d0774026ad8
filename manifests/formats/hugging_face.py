"""Data sets of Hugging Face: what `save_to_disk` made, a folder that `load_dataset` reads, or a
repository of the hub.

Audio inside of one is written into the corpus root, a file for each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError, listing
from ..tables import Table
from .columns import as_table, as_text, find_roles, known_column
from .form import Options
from .hugging_face_files import Loaded, load, told
from .unpacking import Unpacked

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


def read_dataset(place: str, root: Path, options: Options) -> Table:
    """The rows of all parts of a data set, or of the one that the option `split` names.

    Raises:
        InputError: it is none, or there is no column of audio or of emotions.
        MissingPackageError: datasets is not installed.
        SerError: audio cannot be written.
    """
    with told(place) as datasets:
        loaded = load(datasets, place, options)
        parts, card = loaded.parts, loaded.card
        features = {name: kind for part in parts.values() for name, kind in part.features.items()}
        audio = _audio_column(datasets, features, options, place)
        fields = _fields(datasets, features, audio)
        try:
            roles = find_roles(list(fields), options, place)
        except InputError as error:
            raise InputError("\n".join(filter(None, (str(error), loaded.left_out)))) from None
        wanted = dict.fromkeys([audio, *(field.column for field in fields.values())])
        columns: dict[str, list[str]] = {name: [] for name in fields}
        paths: list[str] = []
        splits: list[str] = []
        unpacked = Unpacked(place, root)
        for split, part in parts.items():
            part.data.validate(full=True)  # what is damaged could end the whole process
            known_column(audio, list(part.features), "audio=", f"{place}, {split}")
            if isinstance(part.features[audio], datasets.Audio):
                part = part.cast_column(audio, datasets.Audio(decode=False))
            # The number of a class has the name that it has in this part.
            own = _fields(datasets, part.features, audio)
            rows = part.with_format(None).select_columns([*wanted.keys() & part.features.keys()])
            for number, row in enumerate(rows):
                for name in fields:
                    columns[name].append(own[name].cell(row) if name in own else "")
                name = columns[roles["id"]][-1] if "id" in roles else f"{split}-{number:06}"
                paths.append(unpacked.path(row[audio], name))
                splits.append(split)
    if len(parts) > 1:
        columns.setdefault("split", splits)
    if card.language and "language" not in roles and "language" not in options:
        columns["language"] = [card.language] * len(paths)
        roles["language"] = "language"
    others = sorted(features.keys() - wanted.keys())
    notes = [f"columns of other types were left out: {listing(others)}"] if others else []
    notes += filter(None, (loaded.left_out, _without_rows(loaded, paths)))
    table = {"path": paths} | as_table(columns, roles)
    return Table(place, table, range(1, len(paths) + 1), "row", notes, card.licence)


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


def _without_rows(loaded: Loaded, paths: Sequence[str]) -> str:
    """Say which files of a folder of sound are in no row; blank where all are."""
    sounds = {file for part in loaded.parts for file in loaded.sounds.get(part, ())}
    others = sorted(sounds - set(map(Path, paths)))
    if not others:
        return ""
    return (
        f"{len(others)} of {len(sounds)} files of sound have no row, and were left out, such as "
        f"{others[0].name}"
    )
