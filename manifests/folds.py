"""Folds of whole groups, by one column of the manifest or by several that are crossed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from .corpora import CORPORA
from .drawing import rank, shuffled_recordings
from .manifest import Manifest
from .protocols import FEWEST_FOLDS, Folds, group_columns
from .spellings import REMEDY, spelt_twice
from .unions import first_connected

FOLDS = 5
"""The usual number."""

VALIDATION = 0.2
"""Of what is not tested, where it has no fold of its own."""

Parts = tuple[list[str], list[str], list[str]]
"""Ids that train, validate and are tested."""


def grouping(manifest: Manifest) -> str:
    """Name the column whose values the protocol `speaker` keeps apart: speaker or session.

    Raises:
        InputError: the manifest has no such column.
    """
    known = CORPORA.get(manifest.corpus)
    column = known.group if known else "speaker"
    if column not in manifest.table.columns:
        raise InputError(
            f"the folds of {manifest.corpus} are its {column}s, but its manifest has no column "
            f"{column!r}; {_anew(manifest)}"
        )
    return column


def counted_column(manifest: Manifest, protocol: str) -> str:
    """Of the columns that a protocol keeps apart that over whose groups intervals are taken: the
    one with the fewest, if these are three or more, in whatever order they are named.

    Raises:
        InputError: the manifest has no such column.
    """
    apart = columns_apart(manifest, protocol)
    groups: dict[str, int] = {column: manifest.table[column].nunique() for column in apart}
    return min(groups, key=lambda column: (groups[column] < 3, groups[column], column))


def columns_apart(manifest: Manifest, protocol: str) -> tuple[str, ...]:
    """The columns whose values a protocol keeps apart; none of protocols that draw at random.

    Raises:
        InputError: the manifest has no such column.
    """
    if protocol == "speaker":
        return tuple(dict.fromkeys(("speaker", grouping(manifest))))
    columns = group_columns(protocol)
    there = list(manifest.table.columns)
    for column in columns:
        if column not in there:
            near = did_you_mean(column, there)
            built = f"; {_anew(manifest)}" if manifest.corpus in CORPORA and not near else ""
            raise InputError(
                f"protocol {protocol!r}: the manifest of {manifest.corpus} has no column "
                f"{column!r}{near}; it has {', '.join(there)}{built}"
            )
    return columns


def _anew(manifest: Manifest) -> str:
    return f"have it built anew: `ser extract --corpus {manifest.corpus} --replace`"


def connected_groups(
    manifest: Manifest, column: str, protocol: str
) -> tuple[list[str], NDArray[np.int64]]:
    """Groups of utterances that share neither value of the column nor recording with another, each
    called by its first value: a recording under two speakers joins them.

    With the protocol `speaker`, whatever its column, they share no speaker either.

    Returns:
        Their names, and for every row of the manifest the number of its group.
    """
    import pandas as pd

    value, values = pd.factorize(manifest.table[column], sort=True)
    others = [manifest.recording_codes]
    if protocol == "speaker":
        others.append(manifest.codes("speaker"))
    first, group = np.unique(first_connected(value, others)[value], return_inverse=True)
    return [str(values[number]) for number in first.tolist()], group


def two_groups(manifest: Manifest, column: str, protocol: str) -> bool:
    """Whether a column has too few groups for one that validates."""
    return len(connected_groups(manifest, column, protocol)[0]) < FEWEST_FOLDS


def fold_parts(manifest: Manifest, protocol: str, seed: int, folds: Folds) -> list[Parts]:
    """The parts of every fold of a protocol that keeps columns apart.

    A column's values make `folds` folds, or as many as there are values. Fold k is tested, fold
    k + 1 validates, the others train. A column of two values has no fold to validate: there the
    other value trains and validates.

    Of several columns each has its own folds, and every combination of them is tested: what is in
    the tested fold by all columns. What is in it by some columns alone, or by some in the fold that
    validates and by others in one that trains, is in no part. Combinations without utterances are
    left out.

    Where no column has a fold to validate, a fifth of what trains does, drawn at random.

    Raises:
        InputError: a column is missing or has blank cells or too few values, or a fold has an empty
            part.
    """
    columns = columns_apart(manifest, protocol)
    if protocol == "speaker":
        columns = (grouping(manifest),)
    placed = [_placed(manifest, column, protocol, seed, folds) for column in columns]
    made: list[Parts] = []
    ids = np.array(manifest.ids, object)
    rows = np.array(placed)
    sizes = (rows.max(axis=1) + 1).tolist()
    kinds, kind = np.unique(rows, axis=1, return_inverse=True)
    for tested in product(*map(range, sizes)):
        part = _part_of(kinds.T.tolist(), sizes, tested)[kind]
        train, validation, test = (ids[part == number].tolist() for number in range(3))
        if not test:
            continue
        if all(size < FEWEST_FOLDS for size in sizes):
            drawn = shuffled_recordings(manifest, seed, np.flatnonzero(part == 0))
            held, left = drawn.take(round(VALIDATION * len(train)))
            train, validation = manifest.ids_at(left.rows), manifest.ids_at(held)
        if not (train and validation):
            raise InputError(
                f"{manifest.corpus}, protocol {protocol!r}: where {test[0]} is tested, nothing is "
                f"left to {'validate' if train else 'train'}; name one column, or use "
                "--protocol paper"
            )
        made.append((train, validation, test))
    return made


def _placed(
    manifest: Manifest, column: str, protocol: str, seed: int, folds: Folds
) -> NDArray[np.int64]:
    """The fold of every row by one column."""
    _require_groups(manifest, column, protocol)
    groups, group = connected_groups(manifest, column, protocol)
    fewest = FEWEST_FOLDS if protocol == "speaker" else 2
    if len(groups) < fewest:
        raise InputError(
            f"{manifest.corpus} has {len(groups)} {column}s (those with copies of one recording "
            f"counted as one); the protocol {protocol!r} needs at least {fewest}; "
            "use --protocol paper"
        )
    usual = len(groups) if column == "session" and protocol == "speaker" else FOLDS
    number = len(groups) if folds == "all" else min(folds or usual, len(groups))
    sizes, filled = np.bincount(group).tolist(), [0] * number
    fold = np.empty(len(groups), np.int64)
    for place in sorted(range(len(groups)), key=lambda place: rank(seed, groups[place])):
        # The smallest fold first: all folds get a group, and sizes stay near each other.
        fold[place] = smallest = filled.index(min(filled))
        filled[smallest] += sizes[place]
    return fold[group]


def _part_of(
    kinds: Sequence[Sequence[int]], sizes: Sequence[int], tested: Sequence[int]
) -> NDArray[np.int64]:
    """The number of the part of what is in some folds, by every column, where one fold of each is
    tested; 3 for none.

    Args:
        kinds: the folds, by every column, that occur together.
        sizes: how many folds each column has.
    """
    parts = []
    for folds in kinds:
        # How many folds behind the tested one they are.
        behind = [(own - fold) % size for own, fold, size in zip(folds, tested, sizes, strict=True)]
        validates = {
            steps == 1 for steps, size in zip(behind, sizes, strict=True) if size >= FEWEST_FOLDS
        }
        if not any(behind):
            parts.append(2)
        elif all(behind) and validates in ({True}, {False}, set()):
            parts.append(1 if validates == {True} else 0)
        else:
            parts.append(3)
    return np.array(parts)


def _require_groups(manifest: Manifest, column: str, protocol: str) -> None:
    needed = dict.fromkeys(("speaker", column) if protocol == "speaker" else (column,))
    for name in needed:
        values = list(map(str, manifest.table[name]))
        for row, reason in spelt_twice(name, values):
            raise InputError(f"{manifest.corpus}, {manifest.ids[row]}: {reason}. {REMEDY}")
        unknown = manifest.table["id"][manifest.table[name] == ""]
        if len(unknown):
            raise InputError(
                f"the protocol {protocol!r} needs every {name}, but {len(unknown)} utterances of "
                f"{manifest.corpus} have none, such as {unknown.iloc[0]}; use --protocol paper"
            )
