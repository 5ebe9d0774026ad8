"""The manifest: which utterances a corpus has, and everything known about them but the sound."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .names import is_corpus_name, is_language, is_utterance_id, listing
from .paths import is_inside
from .tables import read_table, write_table
from .vocabulary import ordered, problem_with

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: tuple[str, ...] = (
    "id",
    "corpus",
    "language",
    "speaker",
    "gender",
    "emotion",
    "path",
    "duration",
    "audio_hash",
)
"""The columns that every manifest has, in order; corpus-specific ones follow."""

GENDERS: tuple[str, ...] = ("female", "male", "other", "")

_HASH = re.compile(r"[0-9a-f]{16,64}")


class ManifestError(InputError):
    """A table that is no manifest; `problems` are (row number from 0, what is wrong there)."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        shown = [f"row {row + 1}: {text}" for row, text in problems]
        super().__init__(f"this is no valid manifest: {listing(shown)}")


@dataclass(frozen=True, eq=False)
class Manifest:
    """A corpus as a table, one row per utterance, sorted by id. Treat the table as read-only.

    All columns are text but `duration` (float, seconds). Blank speaker or gender means unknown.

    >>> import pandas as pd
    >>> row = dict(id="a", corpus="mine", language="pt", speaker="s1", gender="", emotion="fear",
    ...            path="a.wav", duration=1.5, audio_hash="0123456789abcdef")
    >>> manifest = Manifest(pd.DataFrame([row]))
    >>> len(manifest), manifest.labels
    (1, ('fear',))

    Raises:
        InputError: a column is missing or a value is not allowed; the message names the rows.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        missing = [name for name in COLUMNS if name not in self.table.columns]
        if missing:
            raise InputError(f"a manifest needs the columns {', '.join(missing)}")
        others = [name for name in self.table.columns if name not in COLUMNS]
        table = self.table[[*COLUMNS, *others]].copy()
        texts = [name for name in table.columns if name != "duration"]
        table[texts] = table[texts].fillna("").astype(str)
        problems = list(_problems(table))
        if problems:
            raise ManifestError(problems)
        # Four decimals are a tenth of a millisecond; rounding here makes saving lossless.
        table["duration"] = table["duration"].astype(float).round(4)
        table = table.sort_values("id", kind="stable", ignore_index=True)
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Manifest({self.corpus}, {len(self)} utterances, {self.hours:.2f} h, id {self.id})"

    @property
    def corpus(self) -> str:
        """The corpus's name."""
        return str(self.table["corpus"].iloc[0])

    @property
    def language(self) -> str:
        """The corpus's language, as a tag such as `de`."""
        return str(self.table["language"].iloc[0])

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The utterance ids, sorted."""
        return tuple(map(str, self.table["id"]))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The emotions that occur: the vocabulary's in its order, then others by alphabet."""
        return ordered(self.table["emotion"])

    @cached_property
    def id(self) -> str:
        """16 hex digits that depend on the ids and audio hashes alone, not on labels or paths."""
        digest = hashlib.sha256()
        for name, audio in zip(self.table["id"], self.table["audio_hash"], strict=True):
            digest.update(f"{name}\t{audio}\n".encode())
        return digest.hexdigest()[:16]

    @property
    def hours(self) -> float:
        """The length of all utterances together, in hours."""
        return float(self.table["duration"].sum()) / 3600

    def counts(self) -> dict[str, int]:
        """Utterances per emotion, in the order of `labels`."""
        found = self.table["emotion"].value_counts()
        return {label: int(found[label]) for label in self.labels}

    def select(self, ids: Iterable[str]) -> Manifest:
        """Give the manifest of some of the utterances.

        Raises:
            InputError: an id that is not here, or none at all.
        """
        wanted = set(ids)
        unknown = sorted(wanted.difference(self.ids))
        if unknown or not wanted:
            raise InputError(
                f"{self.corpus} has no utterance {unknown[0]!r}" if unknown else "no utterances"
            )
        return Manifest(self.table[self.table["id"].isin(wanted)])

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read and check a manifest file.

        Raises:
            InputError: with the line numbers of what is wrong.
        """
        import pandas as pd

        read = read_table(path, COLUMNS)
        frame = pd.DataFrame([row.cells for row in read.rows], columns=list(read.columns))
        try:
            return cls(frame)
        except ManifestError as invalid:
            lines = [row.line for row in read.rows] or [1]
            raise read.problem([(lines[row], text) for row, text in invalid.problems]) from None

    def save(self, path: Path) -> None:
        """Write the manifest as CSV: UTF-8, LF, sorted by id, so that versions can be compared."""
        columns = [
            [f"{value:.4f}" for value in values] if name == "duration" else list(values)
            for name, values in self.table.items()
        ]
        write_table(path, [str(name) for name in self.table.columns], zip(*columns, strict=True))


def _problems(table: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a manifest's rows, as (row number from 0, text)."""
    if not len(table):
        yield 0, "there are no utterances"
        return
    checks: dict[str, Callable[[str], str | None]] = {
        "id": lambda v: None if is_utterance_id(v) else f"{v!r} is no id: use letters, digits, -_.",
        "corpus": lambda v: None if is_corpus_name(v) else f"{v!r} cannot name a corpus",
        "language": lambda v: None if is_language(v) else f"{v!r} is no language code such as de",
        "gender": lambda v: None if v in GENDERS else f"gender {v!r}; use {', '.join(GENDERS[:3])}",
        "emotion": problem_with,
        "path": lambda v: None if is_inside(v) else f"the path {v!r} leaves the corpus root",
        "duration": _duration_problem,
        "audio_hash": _hash_problem,
    }
    for column, check in checks.items():
        values = list(table[column])
        # Most values of most columns repeat; each distinct one is judged once.
        reasons = {value: check(str(value)) for value in set(values)}
        for row, value in enumerate(values):
            reason = reasons[value]
            if reason:
                yield row, reason
    for column in ("corpus", "language"):
        values = list(table[column])
        for row, value in enumerate(values):
            if value != values[0]:
                yield (
                    row,
                    f"{column} is {value!r}, but {values[0]!r} before: one file, one {column}",
                )
                break
    seen: dict[str, int] = {}
    for row, name in enumerate(map(str, table["id"])):
        first = seen.setdefault(name.lower(), row)
        if first != row:
            other = str(table["id"].iloc[first])
            yield row, f"duplicate id {name!r}" + ("" if other == name else f" (beside {other!r})")


def _duration_problem(text: str) -> str | None:
    try:
        seconds = float(text)
    except ValueError:
        return f"the duration {text!r} is no number of seconds"
    return None if math.isfinite(seconds) and seconds > 0 else f"the duration {text!r} cannot be"


def _hash_problem(text: str) -> str | None:
    if _HASH.fullmatch(text):
        return None
    return (
        f"{text!r} is no audio hash (a spreadsheet may have rewritten it); build the manifest anew"
    )
