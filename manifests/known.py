"""Which known corpus a folder is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, listing
from ..progress import Progress
from .corpora import CORPORA, Corpus
from .paths import AUDIO_SUFFIXES, DEEPEST, audio_files, content, stored_path, suffix_of
from .videos import SUFFIXES, problem_with_videos

LEAST = 0.4
"""Share of a folder's files of one kind, or of a corpus where that has fewer utterances, that have
the names of the corpus which it is. A folder may be of two corpora, as the halves of ESD."""


@dataclass(frozen=True)
class Recognised:
    """A corpus that a folder is.

    Attributes:
        files: of its utterances, below the folder; those that tables name and that are not there
            do not count.
        expected: of how many utterances a whole copy is; 0 where that is not known.
        problem: why it cannot be read as it is.
    """

    corpus: Corpus
    files: frozenset[str]
    expected: int
    problem: str | None

    @property
    def utterances(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        if not self.expected:
            found = f"{self.utterances} utterances; how many a whole copy has is not known"
        elif self.utterances == self.expected:
            found = f"whole, {self.utterances} utterances"
        elif self.utterances > self.expected:
            more = self.utterances - self.expected
            found = f"{self.utterances} utterances, {more} more than a whole copy has"
        else:
            found = f"{self.utterances} of {self.expected} utterances"
        return f"{self.corpus.name}: {self.corpus.title or 'no title'}: {found}"


def recognise(folder: Path, progress: Progress) -> list[Recognised]:
    """The known corpora that a folder is, by the names of its files, likelier ones first.

    Raises:
        InputError: there is no such folder, or it is none of them.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}")
    names = audio_files(folder, DEEPEST, AUDIO_SUFFIXES | SUFFIXES)
    there = frozenset(map(stored_path, names))
    files = Counter(map(suffix_of, names))
    found: list[Recognised] = []
    few: dict[str, str] = {}
    for number, (name, corpus) in enumerate(CORPORA.items(), 1):
        progress.show(f"looking for {name}", number, len(CORPORA))
        options = {option: values[-1] for option, values in corpus.options.items() if values}
        try:
            entries = corpus.scan(folder, options).entries
        except InputError:  # such as a table of another corpus by the same name
            continue
        expected = sum(corpus.expected(options).values()) or corpus.size
        own = there & {entry.path for entry in entries}
        # Files of another kind, such as videos, may be the same utterances again.
        of = sum(files[suffix] for suffix in set(map(suffix_of, own)))
        if own and len(own) >= LEAST * min(of, expected or of):
            problem = problem_with_videos(entries, folder)
            found.append(Recognised(corpus, own, expected, problem))
        elif entries:
            few[name] = f"{len(own)} files" if own else "its table, and none of its files"
    if not found:
        saw = f"{files.total()} files of sound or video; saw {content(folder)}"
        hint = f", but has of {listing(f'{name} ({what})' for name, what in few.items())}"
        raise InputError(
            f"{folder} is no corpus that is known here{hint if few else ''} ({saw}); ser corpora "
            "lists those that are. Any other corpus needs a table of its files and labels: ser "
            "manifest build --corpus NAME --csv FILE, or --from FORMAT:PATH for what others made"
        )
    return sorted(found, key=lambda known: abs(known.utterances - known.expected))


def unrecognised(folder: Path, found: Sequence[Recognised]) -> str:
    """Say which files of sound below a folder are of none of the corpora that were found there;
    blank where all are."""
    files = list(map(stored_path, audio_files(folder, DEEPEST)))
    others = [file for file in files if not any(file in known.files for known in found)]
    if not others:
        return ""
    which = "this corpus" if len(found) == 1 else "these"
    return f"{len(others)} of {len(files)} audio files are not of {which}: {listing(others, 3)}"
