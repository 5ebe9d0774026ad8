"""A recogniser over many files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from ..errors import AudioError
from ..extract.pipeline import workers_for
from ..extract.stream import Features, each_file
from .recognizer import Recognizer
from .sources import Source

T = TypeVar("T")


def each_source(
    recognizer: Recognizer,
    sources: Iterable[Source],
    use: Callable[[Features], T],
    count: int,
    workers: int | None = None,
) -> Generator[tuple[Source, T | AudioError], None, None]:
    """What `use` makes of the features of every source, or why it cannot be used, in their order,
    as it is done.

    Args:
        use: such as `recognizer.answer`.
        count: how many they are.
        workers: processes that decode; 0 does it in this one, None has as many as pay.
    """
    ahead: deque[Source] = deque()

    def paths() -> Iterator[Path]:
        for source in sources:
            ahead.append(source)
            yield source.path

    processes = workers_for(count) if workers is None else workers
    keys = recognizer.run.config.keys
    if count:
        with closing(each_file(paths(), recognizer.backbones, keys, use, processes)) as made:
            for each in made:
                yield ahead.popleft(), each
