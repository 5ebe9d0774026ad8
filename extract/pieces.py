"""Extraction by workers that decode, compute and publish themselves, on whatever machine.

They get pieces of a corpus, of about the same duration of audio. No audio and no feature passes
through the process that hands them out. What a worker published before it ended stays; of the rest
of its piece, halves are handed out, and at last single utterances: one that ends a worker twice is
bad.
"""

from __future__ import annotations

import platform
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..cache import Cache, FeatureKey, ShardWriter, Utterances
from ..cache.remotes.joint import JointCache, send_all
from ..errors import SerError
from ..files import make_folder, new_file, partial_beside
from ..manifests import BadFile, Manifest
from ..workers import Lost, Workers
from .backbones.backbone import Backbone
from .distant import Root
from .prepare import Task
from .results import Made, Results
from .workers import pickled, unpickled

SHORTEST, LONGEST = 60.0, 1800.0
"""Seconds of audio in a piece: worth a message and a file, and not too much to do again."""
PIECES_OF_EACH = 8
"""Pieces that every worker gets, about, so that none is left alone at the end."""
LOSSES = 2
"""Workers that an utterance may end before it is bad."""


@dataclass(frozen=True)
class Piece:
    """Some utterances, and how many workers ended at them when they were alone in a piece."""

    tasks: tuple[Task, ...]
    losses: int = 0


@dataclass(frozen=True)
class Assignment:
    """What a worker must know to extract: of which corpus, from where and into what.

    Attributes:
        place: the URL of where features go; None: into the cache.
        cache: its folders.
        mark: a file in it, by which a worker knows that it sees the same folder.
        backbones: pickled, by spec.
    """

    name: str
    manifest_id: str
    root: Root
    place: str | None
    cache: tuple[Path, ...]
    mark: Path
    keys: Mapping[str, FeatureKey]
    backbones: Mapping[str, bytes]

    def check(self) -> None:
        """Raise SerError where the corpus or the cache are not seen from here."""
        host = platform.node()
        if not self.place and not self.mark.is_file():
            raise SerError(
                f"{host} does not see the cache {self.cache[0]}: it must be a folder that all "
                "machines of the cluster share, under the same path. Nothing is lost"
            )
        if isinstance(self.root, Path) and not self.root.is_dir():
            raise SerError(
                f"{host} does not see {self.root}: the audio must lie where all machines of the "
                "cluster find it, under the same path. Nothing is lost"
            )


def extract_pieces(
    tasks: Iterator[Task],
    seconds: float,
    manifest: Manifest,
    root: Root,
    backbones: Mapping[str, Backbone],
    cache: Cache,
    results: Results,
    crew: Workers,
    step: Callable[[], None],
) -> None:
    """Have workers compute and publish what some tasks ask for.

    Args:
        seconds: duration of all of them.
        results: told what became of them.
        step: called whenever something may have come out.

    Raises:
        InputError: a backbone cannot be sent to workers.
        SerError: workers cannot be had, do not see the corpus or the cache, or cannot write it;
            and whatever `step` does.
    """
    keys = {spec: backbone.key() for spec, backbone in backbones.items()}
    longest = min(max(seconds / crew.count / PIECES_OF_EACH, SHORTEST), LONGEST)
    pieces = _Pieces(tasks, longest)
    step()
    if (first := next(pieces, None)) is None:
        return  # before workers are started and models loaded for nothing
    pieces.back(first)
    with _mark(cache) as mark:
        assignment = Assignment(
            name=manifest.corpus,
            manifest_id=manifest.id,
            root=root.absolute() if isinstance(root, Path) else root,
            place=cache.url if isinstance(cache, JointCache) else None,
            cache=tuple(folder.absolute() for folder in cache.folders),
            mark=mark,
            keys=keys,
            backbones=pickled(backbones),
        )
        with crew.running(partial(extractor, assignment), pieces) as made:
            for piece, result in made:
                if isinstance(result, Lost):
                    there, left = _published(cache, keys, manifest, piece)
                    results.merge(there)
                    if left and (bad := pieces.again(replace(piece, tasks=left), result.told)):
                        results.merge(bad)
                else:
                    results.merge(result)
                step()


@contextmanager
def _mark(cache: Cache) -> Iterator[Path]:
    """A file in a cache by which others see that it is the same."""
    cache.check_writable()
    folder = cache.folder.absolute() / "features"
    make_folder(folder)
    mark = partial_beside(folder / "cluster")
    new_file(mark, b"")
    try:
        yield mark
    finally:
        with suppress(OSError):
            mark.unlink()


class _Pieces(Iterator[Piece]):
    """Tasks in pieces of at most so many seconds, taken as they are asked for; and those again at
    which workers ended."""

    def __init__(self, tasks: Iterator[Task], longest: float) -> None:
        self._tasks, self._longest = tasks, longest
        self._again: deque[Piece] = deque()
        self._first: list[Task] = []
        """Of the next piece."""

    def __next__(self) -> Piece:
        if self._again:
            return self._again.popleft()
        piece, self._first = self._first, []
        seconds = sum(task.seconds for task in piece)
        for task in self._tasks:
            seconds += task.seconds
            if piece and seconds > self._longest:
                self._first = [task]
                break
            piece.append(task)
        if not piece:
            raise StopIteration
        return Piece(tuple(piece))

    def back(self, piece: Piece) -> None:
        """Take back a piece that is not done."""
        self._again.append(piece)

    def again(self, piece: Piece, told: str) -> Made | None:
        """Hand out a piece once more, in halves; an utterance that ended enough workers is bad.

        Args:
            told: how the last one ended.
        """
        tasks = piece.tasks
        if len(tasks) > 1:
            middle = len(tasks) // 2
            self._again += [Piece(tasks[:middle]), Piece(tasks[middle:])]
            return None
        if piece.losses + 1 < LOSSES:
            self._again.append(Piece(tasks, piece.losses + 1))
            return None
        (task,) = tasks
        reason = f"a worker that had it alone ended, {LOSSES} times (the last: {told})"
        bad = {task.id: [BadFile(task.id, task.path, reason)]}
        return Made(1, 0.0, {}, {spec: [task.id] for spec in task.specs}, bad)


def _published(
    cache: Cache, keys: Mapping[str, FeatureKey], manifest: Manifest, piece: Piece
) -> tuple[Made, tuple[Task, ...]]:
    """What a worker published of a piece before it ended, and what is left to do."""
    missing = {spec: set(cache.missing(key, manifest)) for spec, key in keys.items()}
    settled: defaultdict[str, list[str]] = defaultdict(list)
    left, seconds, done = [], 0.0, 0
    for task in piece.tasks:
        specs = tuple(spec for spec in task.specs if task.id in missing[spec])
        for spec in set(task.specs).difference(specs):
            settled[spec].append(task.id)
        if specs:
            left.append(replace(task, specs=specs))
        else:
            done, seconds = done + 1, seconds + task.seconds
    computed = {spec: len(ids) for spec, ids in settled.items()}
    return Made(done, seconds, computed, settled, {}), tuple(left)


def extractor(assignment: Assignment, tell: Callable[[Any], None]) -> Callable[[Piece], Made]:
    """What a worker does with pieces; it loads the models once."""
    assignment.check()
    backbones = unpickled(assignment.backbones)
    for spec, key in assignment.keys.items():
        if backbones[spec].key() != key:
            raise SerError(
                f"{platform.node()} would compute {spec} otherwise, by other weights or another "
                "package; have the same on all machines of the cluster. Nothing is lost"
            )

    hashes: dict[str, str] = {}
    utterances = Utterances(assignment.name, assignment.manifest_id, hashes)

    def opened(cache: Cache) -> dict[str, ShardWriter]:
        """Writers that are not closed: every piece is published when it is done."""
        terms = {spec: {"licence": backbones[spec].terms()} for spec in assignment.keys}
        return {
            spec: cache.write(key, utterances, provenance=terms[spec]).__enter__()
            for spec, key in assignment.keys.items()
        }

    def made_of(piece: Piece, writers: dict[str, ShardWriter]) -> Made:
        settled: defaultdict[str, list[str]] = defaultdict(list)
        results = Results(backbones, lambda spec, ids: settled[spec].extend(ids))
        results.writers = writers
        hashes.update({task.id: task.audio_hash for task in piece.tasks})
        wanted = {spec for task in piece.tasks for spec in task.specs}
        asked = {spec: backbones[spec] for spec in backbones if spec in wanted}
        results.compute(iter(piece.tasks), assignment.root, asked, 0)
        return Made(results.done, results.audio_seconds, results.computed, settled, results.bad)

    if (place := assignment.place) is None:
        return partial(made_of, writers=opened(Cache(*assignment.cache)))

    def extract(piece: Piece) -> Made:
        with tempfile.TemporaryDirectory(prefix="ser-") as folder:
            made = made_of(piece, opened(Cache(folder)))
            send_all(Cache(folder), place)
            return made

    return extract
