"""A recogniser over many files."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from ..errors import AudioError
from ..extract.pipeline import workers_for
from .recognizer import Answer, Recognizer
from .sources import Source


def each_source(
    recognizer: Recognizer, sources: Iterable[Source], count: int, workers: int | None = None
) -> Generator[tuple[Source, Answer | AudioError], None, None]:
    """What is said of every source, or why it cannot be used, in their order, as it is done.

    Args:
        count: how many they are.
        workers: processes that decode; 0 does it in this one, None has as many as pay.
    """
    ahead: deque[Source] = deque()

    def paths() -> Iterator[Path]:
        for source in sources:
            ahead.append(source)
            yield source.path

    processes = workers_for(count) if workers is None else workers
    if count:
        with closing(recognizer.stream(paths(), processes)) as answers:
            for answer in answers:
                yield ahead.popleft(), answer
