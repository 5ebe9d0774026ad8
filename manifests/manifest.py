"""The manifest: which utterances a corpus has, and everything known about them but the sound."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from . import checked, names
from .csv_files import TableError, csv_text, read_csv, write_csv
from .fingerprint import FINGERPRINT, is_fingerprint, recordings
from .missing import is_missing
from .paths import is_inside
from .spellings import REMEDY, is_group, spelt_twice, tidy
from .text import plain
from .text_files import read_bytes
from .usual import unusual
from .vocabulary import ordered, problem_with_emotion

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

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
"""The columns that every manifest has, in order. FINGERPRINT comes next, where a
manifest has it; corpus-specific ones follow."""

GENDERS: tuple[str, ...] = ("female", "male", "other", "")

LONGEST_TEXT = 100_000
"""Characters of a cell; what reads CSV files takes little more."""

_LIST = "A list of files and emotions becomes one by ser manifest build --corpus NAME --csv FILE"
"""What to do about a file that is no manifest."""

_HASH = re.compile(r"[0-9a-f]{16,64}")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class Manifest:
    """A corpus as a table, one row per utterance, sorted by id. Treat the table as read-only.

    All columns are text but `duration` (float, seconds). Blank speaker or gender means unknown,
    and so do the words of `missing`, which are blanked; text is in one Unicode form, and no
    speaker, session or emotion is spelt in two ways. `notes` tell what was changed for that.

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
    notes: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self._fill(_columns(self.table))

    def _fill(self, columns: dict[str, list[Any]]) -> None:
        """Check and tidy the cells of all columns, as `_columns` gives them, and take them."""
        import pandas as pd

        notes: list[str] = []
        looked_at = [name for name in columns if name == "duration" or unusual(name, columns[name])]
        for name in looked_at:
            if name != "duration":
                columns[name], told = tidy(name, columns[name])
                notes += told
        problems, remedy = list(_problems(columns, looked_at)), ""
        if not problems:
            groups = (spelt_twice(name, columns[name]) for name in columns if is_group(name))
            problems, remedy = list(chain.from_iterable(groups)), REMEDY
        if problems:
            numbered = [(row + 1, reason) for row, reason in problems]
            raise TableError("this is no valid manifest", numbered, remedy, "row")
        table = pd.DataFrame(columns)
        # Four decimals are a tenth of a millisecond; rounding here makes saving lossless.
        table["duration"] = table["duration"].astype(float).round(4)
        if not table["id"].is_monotonic_increasing:
            table = table.sort_values("id", kind="stable", ignore_index=True)
        self._take(table, tuple(notes))

    def _take(self, table: pd.DataFrame, notes: tuple[str, ...]) -> None:
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "notes", notes)

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
        return tuple(map(str, self.table["id"].tolist()))

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of every utterance id."""
        return {id: row for row, id in enumerate(self.ids)}

    def ids_at(self, rows: NDArray[np.int64]) -> list[str]:
        """The utterance ids of some rows."""
        return [self.ids[row] for row in rows.tolist()]

    def codes(self, column: str) -> NDArray[np.int64]:
        """A number for every row, from 0: the same where the column holds the same."""
        if column == "id":
            return np.arange(len(self))
        if column not in self._codes:
            import pandas as pd

            self._codes[column] = pd.factorize(self.table[column])[0]
        return self._codes[column]

    @cached_property
    def _codes(self) -> dict[str, NDArray[np.int64]]:
        return {}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The emotions that occur: the vocabulary's in its order, then others by alphabet."""
        return ordered(self.table["emotion"].unique())

    @cached_property
    def id(self) -> str:
        """16 hex digits that depend on the ids and audio hashes alone, not on labels or paths."""
        digest = hashlib.sha256()
        for name, audio in zip(self.ids, self.table["audio_hash"].tolist(), strict=True):
            digest.update(f"{name}\t{audio}\n".encode())
        return digest.hexdigest()[:16]

    @cached_property
    def recordings(self) -> tuple[str, ...]:
        """What names the recording of each utterance; that of copies is the same.

        Copies have one audio hash, or, where the manifest has fingerprints, sound alike.
        """
        return recordings([self.table])[0]

    @cached_property
    def recording_codes(self) -> NDArray[np.int64]:
        """A number for every row, from 0: the same where the recording is the same."""
        if not self.has_copies:
            return self.codes("audio_hash")
        import pandas as pd

        return pd.factorize(np.array(self.recordings, object))[0]

    @cached_property
    def has_copies(self) -> bool:
        """Whether one recording has two audio hashes."""
        return list(self.recordings) != self.table["audio_hash"].tolist()

    @property
    def hours(self) -> float:
        """The length of all utterances together, in hours."""
        return float(self.table["duration"].sum()) / 3600

    def counts(self) -> dict[str, int]:
        """Utterances per emotion, in the order of `labels`."""
        counts = self.table["emotion"].value_counts()
        return {label: int(counts[label]) for label in self.labels}

    def select(self, ids: Iterable[str]) -> Manifest:
        """Give the manifest of some of the utterances.

        Raises:
            InputError: an id that is not here, or none at all.
        """
        wanted = set(ids)
        if unknown := sorted(wanted - {*self.ids}):
            raise InputError(f"{self.corpus} has no utterance {unknown[0]!r}")
        if not wanted:
            raise InputError("no utterances")
        return Manifest(self.table[self.table["id"].isin(wanted)])

    @classmethod
    def load(cls, path: Path | str, data: bytes | None = None) -> Manifest:
        """Read and check a manifest file.

        Args:
            data: the bytes of the file, where they are not to be read; `path` then only names it.

        Raises:
            InputError: with the line numbers of what is wrong.
        """
        data = read_bytes(Path(path)) if data is None else data
        manifest = cls.__new__(cls)  # without a table of the cells as they are, which takes memory
        if (known := checked.recall(data)) is not None:
            manifest._take(*known)
            return manifest
        file = read_csv(path, COLUMNS, verbatim=("path",), data=data, lacking=_LIST)
        try:
            manifest._fill(_in_order(file.columns))
        except TableError as invalid:
            lines = file.lines or [1]
            problems = [(lines[row - 1], reason) for row, reason in invalid.problems]
            raise TableError(path, problems, invalid.remedy) from None
        checked.remember(data, manifest.table, manifest.notes)
        return manifest

    def save(self, path: Path) -> None:
        """Write the manifest as CSV: UTF-8, LF, sorted by id, so that versions can be compared."""
        write_csv(path, self.table)

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        return csv_text(self.table).encode()


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The columns by name, those of a manifest first; all but `duration` as text, blank for NaN."""
    titles = [plain(str(title)) for title in table.columns]
    if missing := [name for name in COLUMNS if name not in titles]:
        raise InputError(f"a manifest needs the columns {', '.join(missing)}")
    if twice := [name for name, count in Counter(titles).items() if count > 1 or not name]:
        raise InputError(f"the columns of a manifest need a name each, which {twice[0]!r} is not")
    columns: dict[str, list[Any]] = {}
    for name, (_, column) in zip(titles, table.items(), strict=True):
        cells = column.astype(object).tolist()
        if name != "duration":
            absent = column.isna()
            if absent.any():
                cells = ["" if no else cell for cell, no in zip(cells, absent, strict=True)]
            cells = list(map(str, cells))
        columns[name] = cells
    return _in_order(columns)


def _in_order(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns of every manifest first."""
    return {name: columns[name] for name in (*COLUMNS, *({FINGERPRINT} & {*columns}))} | columns


def _problems(
    columns: Mapping[str, list[Any]], looked_at: Iterable[str]
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a manifest's rows, as (row number from 0, text).

    Args:
        looked_at: the columns with cells that are not as usual.
    """
    if not columns["id"]:
        yield 0, "there are no utterances"
        return
    for column in looked_at:
        # Most values of most columns repeat; each distinct one is judged once.
        texts = list(map(str, columns[column]))
        judged = {text: _problem_with_cell(column, text) for text in unusual(column, texts)}
        if reasons := {text: reason for text, reason in judged.items() if reason}:
            yield from ((row, reasons[text]) for row, text in enumerate(texts) if text in reasons)
    if "id" in looked_at and (absent := {name for name in columns["id"] if is_missing(name)}):
        for row, (name, path) in enumerate(zip(columns["id"], columns["path"], strict=True)):
            if name in absent and name != names.id_from_path(path):
                yield row, f"the id is missing ({name!r})"
    for column in ("corpus", "language"):
        one, *others = dict.fromkeys(columns[column])
        for other in others[:1]:
            reason = f"{column} is {other!r}, but {one!r} before: one file, one {column}"
            yield columns[column].index(other), reason
    for row, first in names.duplicates(columns["id"]):
        name, other = columns["id"][row], columns["id"][first]
        yield row, f"duplicate id {name!r}" + ("" if other == name else f" (beside {other!r})")


def problem_with_gender(gender: str) -> str | None:
    """Say why `gender` cannot stand in a manifest; None if it can."""
    known = ", ".join(filter(None, GENDERS))
    return None if gender in GENDERS else f"gender {gender!r}: use {known}, or leave it blank"


def _problem_with_cell(column: str, text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"{column} has more than {LONGEST_TEXT} characters"
    if _SURROGATE.search(text):
        return f"{column} {text!r} is no valid text"
    check = _CHECKS.get(column)  # none for columns of a user's own, which may hold anything
    return check(text) if check else None


def _problem_with_path(path: str) -> str | None:
    if not is_inside(path):
        return f"the path {path!r} leaves the corpus root"
    if _CONTROL.search(path):
        return f"the path {path!r} holds a control character; write it as %0A or the like"
    return None


def _problem_with_duration(text: str) -> str | None:
    try:
        seconds = float(text)
    except ValueError:
        return f"the duration {text!r} is no number of seconds"
    possible = math.isfinite(seconds) and round(seconds, 4) > 0
    return None if possible else f"the duration {text!r} cannot be"


def _problem_with_hash(text: str) -> str | None:
    reason = "is no audio hash (a spreadsheet may have rewritten it); build the manifest anew"
    return None if _HASH.fullmatch(text) else f"{text!r} {reason}"


def _problem_with_fingerprint(text: str) -> str | None:
    reason = "is no fingerprint; leave it blank, or build the manifest anew"
    return None if is_fingerprint(text) else f"{text!r} {reason}"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "id": names.problem_with_id,
    "corpus": names.problem_with_corpus_name,
    "language": names.problem_with_language,
    "gender": problem_with_gender,
    "emotion": problem_with_emotion,
    "path": _problem_with_path,
    "duration": _problem_with_duration,
    "audio_hash": _problem_with_hash,
    FINGERPRINT: _problem_with_fingerprint,
}
