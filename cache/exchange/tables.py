"""Features as tables: a row for every frame, or for every utterance, and a column for every number.

So `audinterface` and `opensmile` give them: `file`, `start`, `end`, and the features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import InputError, listing
from .arrays import MOST_BYTES, Item, Rows

NAMES = ("file", "id")
"""The columns that name an utterance; the first that is there does."""
BESIDE = ("start", "end", "corpus", "language", "speaker", "gender", "emotion", "path", "duration")
"""Columns that are no features."""


@dataclass(frozen=True)
class Frame:
    """A row of a table.

    Attributes:
        name: of the utterance.
        start: seconds or text, None where a table does not say.
        values: (dim,).
    """

    name: str
    start: float | str | None
    values: Rows


def csv_table(path: Path) -> Iterator[Item]:
    """The utterances of a CSV with `file` or `id`, perhaps `start`, and features; see `by_name`.

    Raises:
        InputError: it is no such table; the message names the line.
    """
    yield from by_name(path, _csv_frames(path))


def feature_columns(path: Path, columns: Sequence[str]) -> tuple[str, list[str]]:
    """The column of a table that names utterances, and those of features.

    Raises:
        InputError: there are none.
    """
    name = next((name for name in NAMES if name in columns), None)
    if name is None:
        there = listing(map(repr, columns), 10)
        raise InputError(
            f"{path}: no column {' or '.join(NAMES)}, which name utterances; the columns: {there}"
        )
    features = [each for each in columns if each not in (*NAMES, *BESIDE)]
    if not features:
        raise InputError(f"{path}: no column of features beside {listing(columns, 10)}")
    return name, features


def by_name(path: Path, frames: Iterable[Frame]) -> Iterator[Item]:
    """The frames of each utterance, in the order of their start; without a start, as they stand.

    Raises:
        InputError: the rows of an utterance stand apart, or too many together.
    """
    seen: set[str] = set()
    gathered: list[Frame] = []
    for frame in frames:
        if gathered and gathered[0].name != frame.name:
            yield gathered[0].name, partial(_sorted, gathered)
            gathered = []
        if not gathered:
            if frame.name in seen:
                raise InputError(
                    f"{path}: the rows of {frame.name!r} stand apart; sort the table by file"
                )
            seen.add(frame.name)
        gathered.append(frame)
        if len(gathered) * frame.values.nbytes > MOST_BYTES:
            raise InputError(f"{path}: {frame.name!r} has more than {MOST_BYTES >> 20} MB")
    if not gathered:
        raise InputError(f"{path}: no rows")
    yield gathered[0].name, partial(_sorted, gathered)


def _csv_frames(path: Path) -> Iterator[Frame]:
    from ...manifests.csv_files import stream_csv

    columns: list[str] = []
    for line, cells in stream_csv(path, (), None):
        if not columns:
            name, columns = feature_columns(path, list(cells))
        try:
            values = np.array([_number(cells[column]) for column in columns])
        except ValueError:
            wrong = next(column for column in columns if not _is_number(cells[column]))
            raise InputError(
                f"{path}, line {line}: {wrong} is {cells[wrong]!r:.60}, no number; every column is "
                f"a feature but {', '.join((*NAMES, *BESIDE))}: remove this one if it is none"
            ) from None
        yield Frame(cells[name], cells.get("start") or None, values)


def _number(text: str) -> float:
    if "_" in text:  # which Python takes for a digit group
        raise ValueError
    return float(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _sorted(frames: Sequence[Frame]) -> Rows:
    """The values of some frames by their start: (frames, dim)."""
    values = np.stack([frame.values for frame in frames])
    starts = [frame.start for frame in frames if frame.start is not None]
    if not starts or len(frames) == 1:
        return values
    if len(starts) < len(frames):
        raise InputError("some of its rows have a start, and others have none")
    times = _seconds(starts)
    order = np.argsort(times, kind="stable")
    if (np.diff(times[order]) <= 0).any():
        raise InputError("two of its rows have one start")
    rows: Rows = values[order]
    return rows


def _seconds(starts: Sequence[float | str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Times as they stand in tables: seconds, or text such as `0 days 00:00:01.500000`."""
    import pandas as pd

    try:
        times = np.array([float(start) for start in starts])
    except ValueError:
        try:
            times = pd.to_timedelta(list(map(str, starts))).total_seconds().to_numpy()
        except (ValueError, OverflowError) as error:
            raise InputError(f"its start cannot be read: {error!s:.100}") from None
    if not np.isfinite(times).all():
        raise InputError("a start is missing, or no time")
    return times
