"""What a scanner hands over: one entry per utterance that the corpus claims to have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One utterance before its audio has been looked at.

    `path` is relative to the corpus root, in the form that a manifest stores. `extra` holds the
    corpus-specific columns. `where` names the line that the entry comes from, if there is one.
    """

    id: str
    path: str
    emotion: str
    speaker: str = ""
    gender: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True)
class Scan:
    """The entries of a corpus, its language, and what the user should be told about the scan."""

    entries: list[Entry]
    language: str = ""
    notes: list[str] = field(default_factory=list)
