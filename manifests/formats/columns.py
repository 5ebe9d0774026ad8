"""Which column of somebody's table is what, and its cells as text."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ...errors import InputError, did_you_mean, listing
from ..text import alike
from .form import Options

ROLES: Mapping[str, tuple[str, ...]] = {
    "label": (
        *("emotion", "label", "emo", "emotion_label", "emotions", "labels", "category"),
        *("emotion.label", "emotion.name"),
    ),
    "id": ("id", "utterance_id", "utt_id", "key"),
    "speaker": (
        *("speaker", "speaker_id", "spk", "actor", "actor_id"),
        *("speaker.id", "speaker.name", "actor.id", "actor.name"),
    ),
    "gender": ("gender", "sex", "speaker.gender", "speaker.sex", "actor.gender", "actor.sex"),
    "language": ("language", "lang", "locale"),
}
"""What a column can be, which an option of that name says, to names that it has in the world; a dot
stands before what is a part of a column."""

_OURS = {"path", "emotion", "id", "speaker", "gender", "language"}


def find_roles(names: Collection[str], options: Options, where: str) -> dict[str, str]:
    """The column of each role that there is one for: as an option says, else by its name.

    Raises:
        InputError: an option names no column, or none has the emotions.
    """
    roles = {role: find_role(role, names, options, where) for role in ROLES}
    found = {role: column for role, column in roles.items() if column}
    if "label" not in found:
        raise InputError(
            f"{where}: which column has the emotions? There are {listing(names, 20) or 'none'}: "
            "--option label=COLUMN"
        )
    return found


def find_role(role: str, names: Collection[str], options: Options, where: str) -> str:
    """The column of one role: as an option says, else by its name; blank where there is none."""
    if role in options:
        column = options[role]
        return known_column(column, names, f"{role}=", where) if column else ""
    by_name = {alike(name): name for name in reversed([*names])} | {name: name for name in names}
    return next((by_name[name] for name in ROLES[role] if name in by_name), "")


def known_column(column: str, names: Collection[str], option: str, where: str) -> str:
    """A column that an option names; InputError where there is none."""
    if column not in names:
        raise InputError(
            f"{where}: has no column {column!r}, which --option {option}{column} names"
            f"{did_you_mean(column, names)}; there are {listing(names, 20) or 'none'}"
        )
    return column


def as_table(
    columns: Mapping[str, list[str]],
    roles: Mapping[str, str],
    options: Options,
    notes: list[str],
) -> dict[str, list[str]]:
    """The columns under our names: those of roles, then the others; a note of those among them that
    are no such role, though their name is one, and that no option says not to read."""
    named = {"emotion" if role == "label" else role: columns[roles[role]] for role in roles}
    others = {name: cells for name, cells in columns.items() if name not in roles.values()}
    if left_out := [name for name in others if name in _OURS and options.get(name) != ""]:
        notes.append(f"columns were left out, as a manifest has its own: {listing(left_out)}")
    return named | {name: cells for name, cells in others.items() if name not in _OURS}


def with_parts(
    columns: Mapping[str, list[str]], parts: list[str], notes: list[str]
) -> dict[str, list[str]]:
    """The columns with the parts of a corpus as `split`; a column of that name which says something
    else is kept as `source_split`."""
    if columns.get("split", parts) == parts:
        return {**columns, "split": parts}
    before = {"source_split" if name == "split" else name: columns[name] for name in columns}
    notes.append(
        f"the column 'split' is kept as 'source_split': parts are {listing(dict.fromkeys(parts))}"
    )
    return {**before, "split": parts}


def as_text(value: Any) -> str:
    """A value as a cell; blank for what is missing.

    >>> [as_text(value) for value in (None, float("nan"), 3, 2.5, True, "a")]
    ['', '', '3', '2.5', 'true', 'a']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def is_plain(values: Iterable[Any]) -> bool:
    """Whether all values can be cells: text, numbers, or nothing."""
    return all(value is None or isinstance(value, str | int | float) for value in values)
