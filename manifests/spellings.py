"""The cells of a column, tidied, and names that are written in two ways.

Every part of the project compares speakers, sessions and emotions as text. So one person must be
one text, and rows whose person is not known must not look like one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import listing
from .missing import is_missing
from .text import alike, plain
from .usual import unusual

GROUPS = frozenset(("speaker", "session", "emotion"))
"""Columns whose values are kept apart, counted or told apart: what is one has one name there."""

REMEDY = (
    "Write what is one in one way. What is really two needs names that differ by more than case, "
    "zeros, '.0', separators or the form of letters."
)

_KEPT = frozenset(("id", "corpus", "language", "emotion", "audio_hash"))
"""Columns that cannot be blank: what is missing there is refused, not blanked."""

_SEPARATORS = re.compile(r"[\s_.,:;/\\|·~-]+")
_QUOTES = dict.fromkeys(map(ord, "'\"`=«»‹›‘’‚‛“”„′″ʹʻʼˈ"))
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⁃"), "-")
_LOOKALIKES = str.maketrans("авекмнорстухіјѕαβεζηικμνορτυχ", "abekmhopctyxijsabezhikmnoptyx")
"""Cyrillic and Greek letters that a keyboard leaves in place of Latin ones; after folding."""

_WHOLE = re.compile(r"(0|[1-9]\d*)(\.0)?")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d*)?(?:e[+-]?\d+)?", re.IGNORECASE)


def is_group(column: str) -> bool:
    """Whether the values of a column are compared as names, and not only kept."""
    return alike(column) in GROUPS


def tidy(column: str, values: Sequence[str]) -> tuple[list[str], list[str]]:
    """The cells of a column in one form, and notes of what was changed beyond that.

    Text is as `plain` leaves it; paths stay as they are. What means "not known" is blank, but in
    columns that cannot be blank. Whole numbers that a spreadsheet or pandas made floats of
    (`3.0`) are whole in columns of names.
    """
    if column == "path":
        return list(values), []
    form = {value: plain(value) for value in unusual(column, values)}
    notes: list[str] = []
    if column not in _KEPT:
        numbers = is_group(column) or column == "gender"
        absent = {text for text in set(form.values()) if text and is_missing(text, numbers)}
        if absent:
            counts = Counter(text for value in values if (text := form.get(value)) in absent)
            total = sum(counts.values())
            words = listing(f"{word!r} ({count})" for word, count in counts.most_common())
            notes.append(f"{column}: what means 'not known' was read so in {_rows(total)}: {words}")
        form = {value: "" if text in absent else text for value, text in form.items()}
    if is_group(column) and column not in _KEPT:
        if whole := _without_point_zero(set(form.values())):
            examples = listing((f"{old} is {new}" for old, new in sorted(whole.items())), 3)
            notes.append(f"{column}: whole numbers were read without '.0': {examples}")
        form = {value: whole.get(text, text) for value, text in form.items()}
    if changed := {value: text for value, text in form.items() if text != value}:
        values = [changed.get(value, value) for value in values]
    return list(values), notes


def spelling(name: str) -> str:
    """What is compared to find one name that is written in two ways.

    Equal for names that differ in case, Unicode form, zeros in front of a number, `.0` behind it,
    quotes, kinds of separators, or separators between letters and digits.

    >>> spelling("Spk_03") == spelling("spk 3.0")
    True
    >>> spelling("1-2") == spelling("12")
    False
    """
    word = alike(name.translate(_DASHES)).translate(_QUOTES).translate(_LOOKALIKES)
    word = re.sub(r"(?<=\d)[.,]0*$", "", word)
    word = "".join(str(unicodedata.decimal(letter, letter)) for letter in word)
    parts = re.findall("[0-9]+|[^0-9 ]+", _SEPARATORS.sub(" ", word))
    return " ".join(re.sub("^0+(?=.)", "", part) for part in parts)


def spelt_twice(column: str, values: Sequence[str]) -> list[tuple[int, str]]:
    """Find names of a column that are one but for their spelling: for each value that is not in the
    commonest, its place from 0, and what is wrong."""
    counts = Counter(filter(None, values))
    commonest: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        other = commonest.setdefault(spelling(name), name)
        if other != name:
            found = f"({_rows(counts[name])}) is {other!r} in {_rows(counts[other])}"
            reasons[name] = f"{column} {name!r} {found}"
    return [(place, reasons[value]) for place, value in enumerate(values) if value in reasons]


def _without_point_zero(names: Iterable[str]) -> dict[str, str]:
    """Whole numbers for the floats among `names`, if no number there is anything else."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    if not all(map(_WHOLE.fullmatch, numbers)):
        return {}
    return {name: name.removesuffix(".0") for name in numbers if name.endswith(".0")}


def _rows(count: int) -> str:
    return "one row" if count == 1 else f"{count} rows"
