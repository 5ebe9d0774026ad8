"""What the cells of some columns look like nearly always: only the others need a closer look.

A manifest of a million rows has a million ids, paths, hashes and fingerprints. What is said here of
a column is a part of what it may hold, so that such a cell is fine as it stands: tidy, not missing,
no problem.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import filterfalse

from .fingerprint import FINGERPRINT, PATTERN

_USUAL = {
    # Two digits one after the other are in no word that means "not known" but for numbers below
    # zero, and without a dot there is no name of a device.
    "id": re.compile(r"(?=.*[0-9]{2})[A-Za-z0-9][A-Za-z0-9_-]{0,127}"),
    "path": re.compile(
        r"(?=[A-Za-z0-9])(?=.*[0-9]{2})(?!.{1000})(?:[A-Za-z0-9_-]+[/.])*[A-Za-z0-9_-]+"
    ),
    "audio_hash": re.compile(r"[0-9a-f]{16,64}"),
    FINGERPRINT: re.compile(PATTERN),
}


def unusual(column: str, values: Sequence[str]) -> set[str]:
    """The values of a column that need a closer look, each once."""
    if column not in _USUAL:
        return set(values)
    return set(filterfalse(_USUAL[column].fullmatch, values))
