"""Which known corpus a folder is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from .corpora import CORPORA, Corpus
from .paths import AUDIO_SUFFIXES, DEEPEST, audio_files, content, suffix_of
from .videos import SUFFIXES, problem_with_videos

LEAST = 0.4
"""Share of a folder's files of one kind, or of a corpus where that has fewer utterances, that have
the names of the corpus which it is. A folder may be of two corpora, as the halves of ESD."""


@dataclass(frozen=True)
class Recognised:
    """A corpus that a folder is, and how many of its utterances were found there."""

    corpus: Corpus
    utterances: int
    expected: int
    problem: str | None

    def __str__(self) -> str:
        if not self.expected:
            found = f"{self.utterances} utterances; how many a whole copy has is not known"
        elif self.utterances == self.expected:
            found = f"whole, {self.utterances} utterances"
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
    files = Counter(map(suffix_of, audio_files(folder, DEEPEST, AUDIO_SUFFIXES | SUFFIXES)))
    found: list[Recognised] = []
    for number, (name, corpus) in enumerate(CORPORA.items(), 1):
        progress.show(f"looking for {name}", number, len(CORPORA))
        options = {option: values[-1] for option, values in corpus.options.items() if values}
        try:
            entries = corpus.scan(folder, options).entries
        except InputError:  # such as a table of another corpus by the same name
            continue
        expected = sum(corpus.expected(options).values()) or corpus.size
        # Files of another kind, such as videos, may be the same utterances again.
        of = sum(files[suffix] for suffix in {suffix_of(entry.path) for entry in entries})
        if entries and len(entries) >= LEAST * min(of, expected or of):
            problem = problem_with_videos(entries, folder)
            found.append(Recognised(corpus, len(entries), expected, problem))
    if not found:
        raise InputError(
            f"{folder} is no corpus that is known here ({files.total()} audio files; saw "
            f"{content(folder)}); ser corpora lists those that are. Any other corpus needs a "
            "table of its files and labels: ser manifest build --corpus NAME --csv FILE, or --from "
            "FORMAT:PATH for what others made"
        )
    return sorted(found, key=lambda known: abs(known.utterances - known.expected))
