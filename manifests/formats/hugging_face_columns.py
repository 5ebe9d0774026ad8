"""Columns of data sets of Hugging Face, which can be made of parts, as those of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..text import alike
from .columns import as_text

Names = tuple[str, ...]
"""The name of a column, then that of a part of it, and so on."""

_OF_UTTERANCES = {"json", "meta", "metadata", "info"}
"""Columns whose parts are said of the utterance itself."""

_OF_ANYTHING = {"id", "key", "name", "gender", "sex", "language", "lang", "locale"}
"""Parts that are said of what the column is: a speaker, one who rated."""


def leaves(features: Mapping[str, Any], above: Names = ()) -> Iterator[tuple[Names, Any]]:
    """All that is not made of parts, with its type."""
    for name, kind in features.items():
        if isinstance(kind, dict):
            yield from leaves(kind, (*above, name))
        else:
            yield (*above, name), kind


def titles(paths: Collection[Names]) -> dict[str, Names]:
    """Columns and parts by what a table calls them: the last name, after as many of those above it
    as tell it from others and say what it is of.

    >>> list(titles([("id",), ("json", "age"), ("gold", "label"), ("rater", "label")]))
    ['id', 'age', 'gold.label', 'rater.label']
    >>> list(titles([("json", "id"), ("json", "speaker", "id"), ("json", "speaker", "age")]))
    ['id', 'speaker.id', 'age']
    """
    counts = Counter(alike(name) for path in paths for name in _called(path))

    def title(path: Names) -> str:
        return next((name for name in _called(path) if counts[alike(name)] == 1), ".".join(path))

    return {title(path): path for path in paths}


def _called(path: Names) -> list[str]:
    """What a path can be called, the shortest first."""
    *above, name = map(alike, path)
    needs_more = above and above[-1] not in _OF_UTTERANCES and name in _OF_ANYTHING
    last = len(path) - (2 if needs_more else 1)
    return [".".join(path[start:]) for start in range(last, -1, -1)]


def is_plain(datasets: Any, kind: Any) -> bool:
    """Whether values of a type are text, numbers or classes."""
    binary = ("binary", "large_binary")
    is_value = isinstance(kind, datasets.Value) and kind.dtype not in binary
    return is_value or isinstance(kind, datasets.ClassLabel)


def cell(row: Mapping[str, Any], path: Names, kind: Any) -> str:
    """A value of a row as text, the number of a class as its name; a negative one is none."""
    value: Any = row
    for name in path:
        value = (value or {}).get(name)
    names = getattr(kind, "names", None)
    if names is not None and isinstance(value, int) and value < len(names):
        return str(names[value]) if value >= 0 else ""
    if isinstance(value, float) and kind.dtype in ("float16", "float32"):
        import numpy as np

        return as_text(float(str(np.dtype(kind.dtype).type(value))))  # no digits that it has not
    return as_text(value)
