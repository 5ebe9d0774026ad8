"""The share of this process in the work, where others extract into the same cache."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from ..cache import Cache, FeatureKey
from ..manifests import Manifest
from ..portion import ALL, Portion
from .claims import Claims, claim_file
from .prepare import Task

Waiting = Callable[[int, Sequence[str]], None]

PIECE = 32
"""Utterances that are claimed at once, about."""
LOOK_SECONDS = 2.0
"""How often to look at what others do, when nothing else is left."""


class Share:
    """What the cache lacks of a manifest, and gets from this process or from others.

    A piece of the utterances is claimed for a feature when its first one is needed, and given up
    when all are published or found bad. So each machine gets its share, however fast it is, and
    what one leaves behind another takes. An utterance is given to this process once at most.

    Args:
        keys: by spec.
        claims: of this process.
        portion: of the manifest; the rest is nothing to this process.

    Attributes:
        corpus: its name.
        ids: of the portion, in the order of the manifest.
        missing: utterances that the cache lacked at the beginning, by spec.
        given: how many of them this process was to compute, by spec.

    Raises:
        CorruptShardError: as `Cache.missing`.
    """

    def __init__(
        self,
        manifest: Manifest,
        cache: Cache,
        keys: Mapping[str, FeatureKey],
        claims: Claims,
        portion: Portion = ALL,
    ) -> None:
        self._manifest, self._cache, self._keys, self._claims = manifest, cache, keys, claims
        self.corpus = manifest.corpus
        self.ids = [id for id in manifest.ids if portion.has(id)]
        self._seen = {spec: cache.shard_names(key, self.corpus) for spec, key in keys.items()}
        """Names of the shards of which is known what they hold."""
        self.missing = {
            spec: [id for id in cache.missing(key, manifest) if portion.has(id)]
            for spec, key in keys.items()
        }
        self._lacking = {spec: set(ids) for spec, ids in self.missing.items() if ids}
        self._lacks = Counter(id for ids in self._lacking.values() for id in ids)
        """How many features are lacking of an utterance; of none that has all."""
        self._pieces = _cut(manifest, self._lacks.keys(), portion)
        self._piece_of = {task.id: name for name, tasks in self._pieces.items() for task in tasks}
        self._hash_of = {
            task.id: task.audio_hash for each in self._pieces.values() for task in each
        }
        self._open: dict[tuple[str, str], set[str]] = {}
        """Utterances that were given and are not settled, by feature and piece."""
        self.given = dict.fromkeys(keys, 0)
        self._tasks = 0
        self._tasks_before = -1
        """How many had been given when `wait` last found something to do."""

    @property
    def total(self) -> int:
        """Utterances that this process has computed or that are left."""
        return self._tasks + self.left

    @property
    def present(self) -> int:
        """Utterances of which nothing is lacking, and which were not given to this process."""
        return len(self.ids) - self.total

    @property
    def left(self) -> int:
        """Utterances that are still lacking, and not given to this process."""
        return len(self._lacks)

    @property
    def seconds(self) -> float:
        """Duration of the utterances of which something was lacking at the beginning."""
        return sum(task.seconds for piece in self._pieces.values() for task in piece)

    def tasks(self) -> Iterator[Task]:
        """What nobody else computes, in the order of the manifest; claimed as it is asked for."""
        for name, piece in self._pieces.items():
            mine = [
                spec for spec in self._lacked(piece) if self._claims.take(self._claim(spec, name))
            ]
            for spec in mine:
                self._look(spec)  # another may have published it before it was claimed
            tasks = [
                replace(task, specs=specs)
                for task in piece
                if (specs := tuple(spec for spec in mine if task.id in self._lacking[spec]))
            ]
            for spec in mine:
                ids = {task.id for task in tasks if spec in task.specs}
                self._strike(spec, ids)
                self.given[spec] += len(ids)
                self._open[spec, name] = ids
                self._give_up_settled(spec, name)
            self._tasks += len(tasks)
            yield from tasks

    def settle(self, spec: str, ids: Iterable[str]) -> None:
        """Hear that utterances are published, or have no such feature."""
        for id in ids:
            name = self._piece_of[id]
            self._open[spec, name].discard(id)
            self._give_up_settled(spec, name)

    def wait(self, waiting: Waiting | None) -> bool:
        """Wait until there is something to do for this process; False if nothing is lacking.

        Args:
            waiting: called meanwhile with utterances and names of hosts that compute them.
        """
        while lacking := self._left():
            holders = {claim: self._claims.holder(claim) for claim in lacking}
            for spec in self._lacking:
                self._look(spec, fresh=True)
            lacking = self._left()
            hosts = {host for claim in lacking if (host := holders[claim]) is not None}
            free = any(holders[claim] is None for claim in lacking)
            if free and self._tasks != self._tasks_before:
                self._tasks_before = self._tasks
                return True
            self._tasks_before = -1  # else it was free before, and another was faster: not so fast
            if waiting and hosts:
                waiting(self.left, sorted(hosts))
            time.sleep(LOOK_SECONDS if lacking else 0)
        return False

    def _left(self) -> list[Path]:
        """The claims under which what is lacking would be computed."""
        return [
            self._claim(spec, name)
            for name, piece in self._pieces.items()
            for spec in self._lacked(piece)
        ]

    def _lacked(self, piece: Sequence[Task]) -> list[str]:
        """The features that are lacking of a piece."""
        return [
            spec
            for spec, ids in self._lacking.items()
            if not ids.isdisjoint(task.id for task in piece)
        ]

    def _give_up_settled(self, spec: str, name: str) -> None:
        """Give up the claim of a piece of which nothing is open."""
        if not self._open[spec, name]:
            del self._open[spec, name]
            self._claims.release(self._claim(spec, name))

    def _claim(self, spec: str, name: str) -> Path:
        folder = self._cache.feature_folder(self._keys[spec])
        return claim_file(folder, self._manifest.corpus, name)

    def _look(self, spec: str, fresh: bool = False) -> None:
        """See what others have published since the last look; see `Cache.shard_names`."""
        key, corpus = self._keys[spec], self.corpus
        names = self._cache.shard_names(key, corpus, fresh)
        if new := names - self._seen[spec]:
            self._seen[spec] = names
            held = (utterance.split(" ") for utterance in self._cache.held_by(key, corpus, new))
            self._strike(spec, (id for id, sha in held if self._hash_of.get(id) == sha))

    def _strike(self, spec: str, ids: Iterable[str]) -> None:
        """Hear that a feature of some utterances is not lacking, or not any more."""
        for id in self._lacking[spec].intersection(ids):
            self._lacking[spec].remove(id)
            self._lacks[id] -= 1
            if not self._lacks[id]:
                del self._lacks[id]


def _cut(manifest: Manifest, lacking: Set[str], portion: Portion = ALL) -> dict[str, list[Task]]:
    """Cut a portion of the utterances into pieces, by names of 32 hexadecimal digits, and keep what
    is lacking.

    An utterance's own hash says whether a piece begins with it, and what it is called: so that
    manifests of one corpus that differ a little, as by a file that is damaged on one machine, are
    cut alike. The first piece is called after the portion.
    """
    if not lacking:
        return {}
    pieces: dict[str, list[Task]] = {}
    piece = pieces[f"{portion.number - 1:016x}{portion.count - 1:016x}"] = []
    columns = (manifest.table[name].tolist() for name in ("id", "path", "audio_hash", "duration"))
    for id, path, sha, seconds in zip(*columns, strict=True):
        if not portion.has(id):
            continue
        digest = hashlib.sha256(f"{id} {sha}".encode()).hexdigest()[:32]
        if int(digest, 16) % PIECE == 0:
            piece = pieces[digest] = []
        if id in lacking:
            piece.append(Task(id, path, sha, (), seconds))
    return {name: piece for name, piece in pieces.items() if piece}
