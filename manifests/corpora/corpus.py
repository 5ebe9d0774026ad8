"""What is known of a corpus, and what is found in a copy of it: one entry per utterance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
    """The entries of a corpus, its language, what the user should be told about the scan, and the
    licence that what was read names."""

    entries: list[Entry]
    language: str = ""
    notes: list[str] = field(default_factory=list)
    licence: str = ""


NOT_KNOWN = "not known: see the publisher"
"""The licence, where what is public is not certain."""

Options = Mapping[str, str]
Scanner = Callable[[Path, Options], Scan]


@dataclass(frozen=True)
class Corpus:
    """A corpus whose utterances `scan` finds below a root folder, from names and label files alone.

    One of these of one's own is handed to `build_manifest`, or is known by name after
    `CORPORA.add`, or by an entry point of the group `ser.corpora` in a package of one's own.

    `layout` shows what lies below the root. `counts` are the utterances per emotion of a whole
    copy, with default options; `variants` those with another option, under `option=value`.
    `options` maps an option to its allowed values, the default first. `group` is the column whose
    values the protocol `speaker` keeps apart, in every process that knows the corpus by name.
    `licensees_only` marks what only those may have who signed for it. `size` is how many utterances
    there are where their number by emotion is not known, and `speakers` whether their speakers are.
    `videos` are the suffixes, in lower case, of the videos and coded files that the scan takes.
    `root` is where its audio is unless told; `unpacks`, that the scan writes it there.
    """

    name: str
    language: str
    scan: Scanner
    title: str = ""
    licence: str = ""
    url: str = ""
    layout: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    group: str = "speaker"
    licensees_only: bool = False
    size: int = 0
    speakers: bool = True
    videos: frozenset[str] = frozenset()
    root: Path | None = None
    unpacks: bool = False

    @property
    def utterances(self) -> int:
        """Utterances of a whole copy, with default options; 0 where that is not known."""
        return sum(self.counts.values()) or self.size

    def expected(self, options: Options) -> Mapping[str, int]:
        """Utterances per emotion of a whole copy, under these options."""
        chosen = (self.variants.get(f"{name}={value}") for name, value in options.items())
        return next((counts for counts in chosen if counts), self.counts)
