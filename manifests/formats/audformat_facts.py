"""What the tables of an audformat database say of files, by name: columns, schemes, labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..text import alike
from .columns import ROLES, as_text

Piece = tuple[str, float, float | None]
"""A file, and where in it, in seconds; None: to its end."""

_OF_UTTERANCES = {name for role in ("label", "id", "speaker") for name in ROLES[role]}
"""Names that are of utterances, whatever labels of speakers say under them."""


@dataclass(frozen=True)
class Source:
    """A column of a table, or a field of what its scheme says of its labels."""

    table: str
    name: str
    column: Any
    field: str | None

    def said(self) -> Iterator[tuple[Piece, str]]:
        """The value of each file, or piece of one, as text; blank where it is missing."""
        series = self.column.get(map=self.field)
        values = zip(series.tolist(), series.isna().tolist(), strict=True)
        for piece, (value, is_absent) in zip(_pieces(series.index), values, strict=True):
            yield piece, "" if is_absent else _text(value)


class Facts:
    """What a database says, by names.

    A name is of the columns that are called so; where none is, of those with a scheme of that name.
    Fields of labels go by column, as the language of raters is not that of what they hear:
    `rater.language`. Those of the speakers alone have names of their own: see `know_speakers`.
    """

    def __init__(self, database: Any) -> None:
        self._columns: dict[str, list[Source]] = {}
        self._schemes: dict[str, list[Source]] = {}
        self._fields: dict[str, list[Source]] = {}
        self._of_speakers: dict[str, list[Source]] = {}
        for table_name, table in database.tables.items():
            for name, column in table.columns.items():
                words = column.scheme_id if _are_words(column.scheme) else None
                source = Source(table_name, name, column, words)
                self._columns.setdefault(name, []).append(source)
                if column.scheme_id:
                    self._schemes.setdefault(column.scheme_id, []).append(source)
                for field in _fields(database, column.scheme):
                    source = Source(table_name, name, column, field)
                    self._fields.setdefault(f"{name}.{field}", []).append(source)

    def know_speakers(self, name: str) -> None:
        """Let what is said of the speakers, who are under a name, be said of what they say."""
        if name in self._fields:
            return  # of what has a speaker, the speaker is one fact of several
        speakers = {source.name for source in self.sources(name)}
        for full, sources in [*self._fields.items()]:
            field = sources[0].field or ""
            if sources[0].name in speakers and alike(field) not in _OF_UTTERANCES:
                self._of_speakers.setdefault(field, []).extend(self._fields.pop(full))

    @property
    def names(self) -> list[str]:
        """Those of columns, and of fields of labels."""
        return list(dict.fromkeys((*self._columns, *self._of_speakers, *self._fields)))

    @property
    def schemes(self) -> list[str]:
        return list(self._schemes)

    def sources(self, name: str, tables: Collection[str] | None = None) -> list[Source]:
        """What says that which has a name; of some tables, if not of all."""
        ways = (
            (*self._columns.get(name, ()), *self._of_speakers.get(name, ())),
            self._schemes.get(name, ()),
            self._fields.get(name, ()),
        )
        for way in ways:
            if found := [source for source in way if tables is None or source.table in tables]:
                return found
        return []


def merged(sources: Iterable[Source]) -> dict[Piece, str]:
    """The one value of each file, or piece of one; ValueError where two differ."""
    values: dict[Piece, str] = {}
    for source in sources:
        for piece, value in source.said():
            before = values.get(piece, "")
            if value and before and before != value:
                raise ValueError(f"{piece[0]} is {before!r:.50} and {value!r:.50}")
            values[piece] = before or value
    return values


def _pieces(index: Any) -> list[Piece]:
    files = list(map(str, index.get_level_values("file")))
    if "start" not in index.names:
        return [(file, 0.0, None) for file in files]
    starts, ends = (index.get_level_values(name).total_seconds() for name in ("start", "end"))
    spans = zip(files, starts.tolist(), ends.tolist(), strict=True)
    return [(file, start, end if end == end else None) for file, start, end in spans]  # NaN


def _are_words(scheme: Any) -> bool:
    """Whether a scheme has a word for each of its labels: `ang`, which is `anger`."""
    labels = scheme.labels if scheme else None
    said = list(labels.values()) if isinstance(labels, dict) else []
    return any(said) and not any(isinstance(each, dict) for each in said)


def _fields(database: Any, scheme: Any) -> list[str]:
    """What a scheme says of each of its labels."""
    if scheme is None:
        return []
    if scheme.uses_table:
        return list(database.misc_tables[scheme.labels].columns)
    labels = scheme.labels.values() if isinstance(scheme.labels, dict) else ()
    return list(dict.fromkeys(name for said in labels if isinstance(said, dict) for name in said))


def _text(value: Any) -> str:
    seconds = getattr(value, "total_seconds", None)
    return as_text(seconds() if seconds else value)
