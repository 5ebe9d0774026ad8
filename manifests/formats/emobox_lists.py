"""EmoBox's lists: `<corpus>.jsonl`, `label_map.json`, and folds in `fold_<n>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InputError, listing
from ...files import read_json
from ..pieces import Spans
from ..tables import Table
from .columns import as_text, is_plain
from .form import Options, folder_of
from .json_lines import read_json_lines

LABEL_MAP = "label_map.json"
"""The corpus's words to EmoBox's."""

_WHAT = "a list of EmoBox, with key, wav and emo in every line"
_NEEDED = ("key", "wav", "emo")
_OF_ONE = ("wav", "emo", "start_time", "end_time")
"""What is the same wherever an utterance is listed."""

_FOLD = re.compile(r"fold_?(\d{1,4})")
_PART = re.compile(r".*_(train|valid|test)_fold_?\d+\.jsonl")
_LEFT_OUT = {*_NEEDED, "dataset", "type", "task", "channel", "sample_rate", "num_frame", "length"}
"""What is in the manifest under another name, or is found out of the sound."""

_Line = tuple[int, dict[str, Any]]
_Parts = dict[tuple[str, int], list[_Line]]
"""The lines of each part of each fold."""


def read_lists(place: str, root: Path, options: Options) -> Table:
    """The utterances of one corpus, with the folds that test and that validate them.

    Raises:
        InputError: there are no such lists, or utterances are pieces of recordings.
    """
    folder, file = _found(place)
    parts = _parts(folder)
    where = str(file or folder)
    words = _label_map(folder)
    if file:
        lines = read_json_lines(file, folder, _WHAT)
        _check(lines, where)
        _compare(lines, parts, words, where)
    else:
        lines = _distinct(parts, where)
    keys = [line["key"] for _, line in lines]
    columns = {
        "id": keys,
        "path": [line["wav"] for _, line in lines],
        "emotion": [words.get(line["emo"], line["emo"]) for _, line in lines],
    }
    for name in dict.fromkeys(name for _, line in lines for name in line):
        values = [line.get(name) for _, line in lines]
        if name not in _LEFT_OUT and name not in columns and is_plain(values):
            columns[name] = list(map(as_text, values))
    notes = _unknown(parts, keys, where) if file else []
    for part in ("test", "valid"):
        if folds := _folds(parts, part, notes):
            columns[f"{part}_fold"] = [folds.get(key, "") for key in keys]
    numbers = [number for number, _ in lines]
    return Table(where, columns, numbers, notes=notes, spans=_spans(where, lines))


def _found(place: str) -> tuple[Path, Path | None]:
    """The folder, and the list of all utterances, where there is one."""
    folder = folder_of(place)
    path = Path(place).expanduser()
    if path != folder:
        return folder, path
    lists = sorted(folder.glob("*.jsonl"))
    if len(lists) > 1:
        names = listing(list_.name for list_ in lists)
        raise InputError(f"{place}: several lists, {names}: name one of them")
    if not lists and not _parts(folder):
        raise InputError(f"{place}: holds no .jsonl; expected {_WHAT}")
    return folder, lists[0] if lists else None


def _parts(folder: Path) -> _Parts:
    parts: _Parts = {}
    for file in sorted(folder.glob("fold*/*.jsonl")):
        fold, part = _FOLD.fullmatch(file.parent.name), _PART.fullmatch(file.name)
        if fold and part:
            lines = read_json_lines(file, folder, _WHAT)
            parts.setdefault((part[1], int(fold[1])), []).extend(lines)
    return parts


def _check(lines: list[_Line], where: str) -> None:
    for number, line in lines:
        if absent := [name for name in _NEEDED if not isinstance(line.get(name), str)]:
            raise InputError(f"{where}, line {number}: no {listing(absent)}; expected {_WHAT}")


def _distinct(parts: _Parts, where: str) -> list[_Line]:
    """The lines of all parts, each utterance once, numbered anew.

    Raises:
        InputError: a key is of several utterances.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for (part, fold), lines in parts.items():
        place = f"the {part} part of fold {fold}"
        _check(lines, f"{where}, {place}")
        for number, line in lines:
            before, first = found.setdefault(line["key"], (f"{place}, line {number},", line))
            for name in _OF_ONE:
                if line.get(name) != first.get(name):
                    raise InputError(
                        f"{where}: the key {line['key']!r:.100} is not of one utterance: {before} "
                        f"has the {name} {first.get(name)!r:.100}, and {place}, line {number}, "
                        f"{line.get(name)!r:.100}; give each utterance a key of its own, or have "
                        "its lines agree"
                    )
    return list(enumerate((line for _, line in found.values()), 1))


def _compare(lines: list[_Line], parts: _Parts, words: Mapping[str, str], where: str) -> None:
    """Raise InputError where folds have another file or emotion for a key than the list of all;
    in which folder the file lies may be written differently."""

    def said(line: dict[str, Any]) -> tuple[str, str]:
        emotion = str(line.get("emo"))
        return PurePosixPath(str(line.get("wav"))).name, words.get(emotion, emotion)

    listed = {line["key"]: said(line) for _, line in lines}
    for (part, fold), of_part in parts.items():
        for number, line in of_part:
            first = listed.get(str(line.get("key")))
            if first is not None and said(line) != first:
                raise InputError(
                    f"{where}: the key {line['key']!r:.100} is not of one utterance: it is "
                    f"{' and '.join(first):.200} there, and {' and '.join(said(line)):.200} in "
                    f"the {part} part of fold {fold}, line {number}; have them agree"
                )


def _unknown(parts: _Parts, keys: list[str], where: str) -> list[str]:
    """A note of what folds have, and the list of all does not."""
    listed = {str(line.get("key")) for lines in parts.values() for _, line in lines}
    others = sorted(listed - {*keys})
    note = f"{len(others)} keys of folds are not in {where}, and were left out"
    return [f"{note}: {listing(others, 3)}"] if others else []


def _folds(parts: _Parts, part: str, notes: list[str]) -> dict[str, str]:
    """The fold of each utterance that is in this part of one; the first of several."""
    folds: dict[str, str] = {}
    again: set[str] = set()
    for (name, fold), lines in sorted(parts.items()):
        if name == part:
            for key in (str(line.get("key")) for _, line in lines):
                if folds.setdefault(key, str(fold)) != str(fold):
                    again.add(key)
    if again:
        notes.append(
            f"{len(again)} utterances are in the {part} part of several folds, of which the first "
            f"is kept: {listing(sorted(again), 3)}"
        )
    return folds


def _label_map(folder: Path) -> dict[str, str]:
    try:
        return read_json(folder / LABEL_MAP, dict[str, str], below=folder)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"cannot read {folder / LABEL_MAP}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{folder}: {error}; expected a word for each word") from None


def _spans(where: str, lines: list[_Line]) -> Spans:
    begins: list[float] = []
    ends: list[float | None] = []
    for number, line in lines:
        start, end = line.get("start_time"), line.get("end_time")
        try:
            begins.append(float(start or 0))
            ends.append(None if end is None else float(end))
        except (TypeError, ValueError):
            raise InputError(
                f"{where}, line {number}: start_time {start!r:.100}, end_time {end!r:.100}: "
                "expected seconds"
            ) from None
    how = "ffmpeg -i LONG -ss START -to END PIECE.flac for each, named as wav there"
    return Spans(begins, ends, [None] * len(lines), how)
