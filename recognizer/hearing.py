"""Many files of several people, each told by what is heard of its speaker."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator
from contextlib import closing
from itertools import islice

from ..errors import AudioError, listing
from ..extract.stream import Features
from ..progress import Progress
from .many import each_source
from .recognizer import Answer, Recognizer
from .sources import Source, Sources
from .voices import Voice

MOST_KEPT = 1 << 30
"""Bytes of features that are kept between hearing and telling; others are computed twice."""

FEW = 5
"""Utterances of a speaker, of fewer of which standardising per speaker may do harm."""

Told = Generator[tuple[Source, Answer | AudioError], None, None]


def each_by_speaker(
    recognizer: Recognizer,
    sources: Sources,
    done: int,
    workers: int | None,
    progress: Progress,
    most_kept: int = MOST_KEPT,
) -> Generator[tuple[Source, Answer | AudioError], None, None]:
    """What is said of the sources but the first `done`, in their order, or why one cannot be used.

    Where a model was trained on all of a speaker, all sources are heard before the first is told;
    where on what was heard so far, each is told as soon as it was heard. Those that are done are
    heard like the others, and bad ones are not.

    Args:
        workers: see `each_source`.
        progress: shows how many were heard, and is told of whom that was little.
        most_kept: bytes of features that are kept until they are told.
    """
    if done == sources.count:
        return
    causal = recognizer.run.config.encoding.heard == "causal"
    voices = _Voices(recognizer)
    kept: deque[tuple[Source, Features | AudioError]] = deque()
    size = 0
    with closing(each_source(recognizer, sources, _itself, sources.count, workers)) as each:
        for place, (source, features) in enumerate(each):
            voices.hear(source, features)
            if causal and place >= done:
                yield source, voices.tell(source, features)
                continue
            progress.show(f"{place + 1} of {sources.count} files heard", place + 1, sources.count)
            if place >= done and size < most_kept:
                kept.append((source, features))
                size += _bytes(features)
    progress.close()
    if note := voices.note():
        progress.say(f"note: {note}")
    if causal:
        return
    told = done + len(kept)
    while kept:
        source, features = kept.popleft()
        yield source, voices.tell(source, features)
    rest = islice(sources, told, None)
    with closing(each_source(recognizer, rest, _itself, sources.count - told, workers)) as each:
        for source, features in each:
            yield source, voices.tell(source, features)


class _Voices:
    """What was heard of people, by their names; of unknown ones, whose name is blank, nothing."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._voices: dict[str, Voice] = {}
        self._heard: set[tuple[str, str]] = set()
        self._unknown = 0

    def hear(self, source: Source, features: Features | AudioError) -> None:
        """Add a file to what was heard of its speaker, once however often it is named."""
        if isinstance(features, AudioError):
            return
        self._unknown += not source.speaker
        named = (source.speaker, os.path.realpath(source.path))
        if source.speaker and named not in self._heard:
            self._heard.add(named)
            if source.speaker not in self._voices:
                self._voices[source.speaker] = self._recognizer.voice()
            self._voices[source.speaker].hear(features)

    def tell(self, source: Source, features: Features | AudioError) -> Answer | AudioError:
        """What is said of a file by what was heard of its speaker so far."""
        if isinstance(features, AudioError):
            return features
        return self._recognizer.answer(features, self._voices.get(source.speaker))

    def note(self) -> str:
        """Of whom little was heard, or nothing; blank where of nobody."""
        few = [speaker for speaker, voice in self._voices.items() if voice.count < FEW]
        notes = []
        if few:
            notes.append(
                f"fewer than {FEW} files were heard of {len(few)} of {len(self._voices)} speakers "
                f"({listing(few, 3)}): of so few, standardising per speaker may do harm"
            )
        if self._unknown:
            notes.append(
                f"{self._unknown} files have no speaker, and are told by the training part alone, "
                "which is not what the run was tested with"
            )
        return "; ".join(notes)


def _itself(features: Features) -> Features:
    return features


def _bytes(features: Features | AudioError) -> int:
    return 0 if isinstance(features, AudioError) else sum(f.nbytes for f in features.values())


def digest(sources: Sources) -> str:
    """SHA-256 of all sources and whose they are, on which answers depend where all of a speaker is
    heard."""
    found = hashlib.sha256()
    for source in sources:
        found.update(source.line.encode("utf-8", "surrogatepass") + b"\0")
    return found.hexdigest()
