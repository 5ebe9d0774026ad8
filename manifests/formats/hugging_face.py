"""Data sets of Hugging Face: what `save_to_disk` made, a folder that `load_dataset` reads, or a
repository of the hub.

Audio inside of one is written into the corpus root, a file for each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError, listing
from ..tables import Table
from .columns import as_table, find_roles, known_column, with_parts
from .form import Options
from .hugging_face_columns import Names, cell, is_plain, leaves, titles
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
    """The rows of all parts of a data set, or of those that the option `split` names.

    Raises:
        InputError: it is none, or there is no column of audio or of emotions.
        MissingPackageError: datasets is not installed.
        SerError: audio cannot be written.
    """
    with told(place) as datasets:
        loaded = load(datasets, place, options)
        parts = loaded.parts
        features = {name: kind for part in parts.values() for name, kind in part.features.items()}
        audio = _audio_column(datasets, features, options, place)
        kinds = {path: kind for part in parts.values() for path, kind in leaves(part.features)}
        every = {name: path for name, path in titles(kinds).items() if path[0] != audio}
        fields = {name: path for name, path in every.items() if is_plain(datasets, kinds[path])}
        others = sorted(every.keys() - fields.keys())
        # A part of a column can be named with what it is a part of, though its own name is enough.
        whole = {".".join(path): name for name, path in fields.items()}
        options = {option: whole.get(value, value) for option, value in options.items()}
        try:
            roles = find_roles(list(fields), options, place)
        except InputError as error:
            lists = f"Columns of lists and the like are not read: {listing(others)}"
            told_too = (str(error), lists if others else "", loaded.left_out)
            raise InputError("\n".join(filter(None, told_too))) from None
        # The library's own, such as where the data set lay, say nothing of utterances.
        own = {name for name, path in fields.items() if path[0].startswith("__")}
        own -= {*roles.values()}
        fields = {name: path for name, path in fields.items() if name not in own}
        columns: dict[str, list[str]] = {name: [] for name in fields}
        paths: list[str] = []
        splits: list[str] = []
        unpacked = Unpacked(place, root)
        for split, part in parts.items():
            where = f"{place}, {split}"
            for number, (sound, cells) in enumerate(_rows(datasets, part, audio, fields, where)):
                for name, value in cells.items():
                    columns[name].append(value)
                name = cells[roles["id"]] if "id" in roles else f"{split}-{number:06}"
                paths.append(unpacked.path(sound, name, split, cells[roles["label"]]))
                splits.append(split)
    notes = [f"columns of other types were left out: {listing(others)}"] if others else []
    if len(parts) > 1:
        columns = with_parts(columns, splits, notes)
    card = loaded.card
    if card.language and "language" not in roles and "language" not in options:
        columns["language"] = [card.language] * len(paths)
        roles["language"] = "language"
    notes += filter(None, (loaded.left_out, _without_rows(loaded, paths)))
    table = {"path": paths} | as_table(columns, roles, options, notes)
    return Table(place, table, range(1, len(paths) + 1), "row", notes, card.licence)


def _rows(
    datasets: Any, part: Any, audio: str, fields: Mapping[str, Names], where: str
) -> Iterator[tuple[Any, dict[str, str]]]:
    """The audio of each row, as it is there, and its cells by the names of columns."""
    part.data.validate(full=True)  # what is damaged could end the whole process
    known_column(audio, list(part.features), "audio=", where)
    _check_audio(datasets, audio, part.features[audio], where)
    # The number of a class has the name that it has in this part.
    kinds = {path: kind for path, kind in leaves(part.features) if is_plain(datasets, kind)}
    if isinstance(part.features[audio], datasets.Audio):
        part = part.cast_column(audio, datasets.Audio(decode=False))
    wanted = {audio, *(path[0] for path in fields.values())} & part.features.keys()
    for row in part.with_format(None).select_columns([*wanted]):
        cells = {
            name: cell(row, path, kinds[path]) if path in kinds else ""
            for name, path in fields.items()
        }
        yield row[audio], cells


def _audio_column(datasets: Any, features: Mapping[str, Any], options: Options, place: str) -> str:
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
    usable = [name for name in named if _is_audio(datasets, features[name])]
    return str((typed or usable or named)[0])


def _is_audio(datasets: Any, kind: Any) -> bool:
    """Whether a column can have paths or bytes of sound."""
    if isinstance(kind, dict):
        return "bytes" in kind or ("path" in kind and "array" not in kind)
    texts = ("string", "large_string", "binary", "large_binary")
    return isinstance(kind, datasets.Audio) or getattr(kind, "dtype", "") in texts


def _check_audio(datasets: Any, column: str, kind: Any, where: str) -> None:
    if _is_audio(datasets, kind):
        return
    if isinstance(kind, dict) and "array" in kind:
        raise InputError(
            f"{where}: the column {column} has decoded samples, which are not read; save it anew "
            f'with coded sound, cast_column("{column}", Audio()), or name another column: --option '
            "audio=COLUMN"
        )
    raise InputError(
        f"{where}: the column {column} has {kind!r:.100}; expected paths of files of sound, or "
        "their bytes: --option audio=COLUMN"
    )


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
