"""A cache and a place side by side: what either holds is not missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ...errors import CorruptShardError, InputError
from ...manifests import Manifest
from .. import layout
from ..cache import Cache
from ..contents import utterances_of
from ..keys import FeatureKey
from .diff import index_at
from .folder import FolderPlace
from .place import BrokenOffError, Moved, offer, open_place
from .sync import AT_ONCE, plan_push, push
from .transfers import carry_all


class JointCache(Cache):
    """A cache beside a place elsewhere, to which features go that others compute.

    Manifests, claims and what is read lie in the cache; of the place only the names and the indices
    of shards are looked at, each once, and no rows.

    Args:
        url: of the place, as of `open_place`.

    Raises:
        InputError: nothing can be sent there.
        MissingPackageError, SerError: as `open_place`.
    """

    def __init__(self, cache: Cache, url: str) -> None:
        super().__init__(*cache.folders)
        self.url, self.place = url, open_place(url)
        self._held: dict[str, list[str]] = {}
        """Utterances by the name of a shard at the place; none of one that is damaged."""
        self._offered: Mapping[str, int | None] = {}
        self._look_again = 0.0
        if not self.place.writable:
            raise InputError(f"{self.place}: can only be pulled from")

    def missing(self, key: FeatureKey, manifest: Manifest) -> list[str]:
        """Ids of the utterances that have no such feature here or there; see `Cache.missing`.

        Raises:
            CorruptShardError: a shard here is damaged.
            SerError: the place cannot be reached.
        """
        lacking = super().missing(key, manifest)
        if not lacking:
            return lacking
        there = {*self._held_there(self._shards_there(key, manifest.corpus))}
        found = dict(zip(manifest.ids, utterances_of(manifest), strict=True))
        return [id for id in lacking if found[id] not in there]

    def shard_names(self, key: FeatureKey, corpus: str, fresh: bool = True) -> frozenset[str]:
        """Names of the shards of a feature that have come here or there."""
        names = super().shard_names(key, corpus)
        with suppress(BrokenOffError):  # what there is no telling of now is told the next time
            there = self._shards_there(key, corpus, fresh)
            names |= {Path(name).name for name in there}
        return names

    def held_by(self, key: FeatureKey, corpus: str, names: Iterable[str]) -> list[str]:
        """See `Cache.held_by`."""
        here = super().shard_names(key, corpus).intersection(names)
        held = super().held_by(key, corpus, here)
        with suppress(BrokenOffError):  # at worst it is computed once more
            there = self._shards_there(key, corpus, fresh=False)
            others = {*names} - here
            held += self._held_there({n: s for n, s in there.items() if Path(n).name in others})
        return held

    def _shards_there(
        self, key: FeatureKey, corpus: str, fresh: bool = True
    ) -> dict[str, int | None]:
        """Unless they must be fresh, they are asked for in a tenth of the time at most."""
        began = time.monotonic()
        if fresh or began >= self._look_again:
            self._offered = offer(self.place).shards
            self._look_again = began + 10 * (time.monotonic() - began)
        return {
            name: size
            for name, size in self._offered.items()
            if layout.group_of(name) == (corpus, key.folder)
        }

    def _held_there(self, shards: Mapping[str, int | None]) -> list[str]:
        """What shards at the place hold; nothing of one that is damaged."""
        new = [name for name in shards if name not in self._held]

        def utterances(name: str) -> list[str]:
            try:
                index = index_at(self.place, name, shards[name])
            except CorruptShardError:
                return []
            return index.utterances if index else []

        with ThreadPoolExecutor(2 * AT_ONCE) as pool:
            self._held |= zip(new, pool.map(utterances, new), strict=True)
        return [utterance for name in shards for utterance in self._held[name]]

    @contextmanager
    def sharing(self, corpus: str, keys: Iterable[FeatureKey]) -> Iterator[None]:
        """Bring to the place, at the end of what is done, what the cache had of some features of a
        corpus, its terms and its manifest.

        Raises:
            InputError: at once, where the manifest there contradicts the one here, or the corpus is
                for licensees only.
            SerError: it cannot be brought.
        """
        wanted = tuple(f"features/{key.folder}/" for key in keys)
        plan = plan_push(self, self.place, [corpus])
        shards = {name: size for name, size in plan.shards.items() if name.startswith(wanted)}
        texts = [name for name in plan.texts if name.startswith((*wanted, "manifests/"))]
        plan = replace(plan, shards=shards, texts=texts)
        terms = plan.terms.get(corpus)
        if terms and terms.licensees_only:
            raise InputError(
                f"{corpus} is for licensees only. Extract into a folder and share that with `ser "
                "cache push`, which asks before it does"
            )
        yield
        push(plan)


def send_all(cache: Cache, url: str) -> None:
    """Bring all shards of a cache to a place, and what describes their features where it is not
    there. They were made a moment ago, and are not checked again.

    Raises:
        SerError: one cannot be brought.
    """
    mine, place = FolderPlace(cache.folder), open_place(url)
    here = offer(mine)

    def carry(name: str, size: int | None, moved: Moved) -> None:
        place.send(mine.path(name), name, moved)

    def describe(name: str, size: int | None, moved: Moved) -> None:
        if (data := mine.read(name)) is not None and place.read(name) is None:
            place.write(name, data)

    try:
        carry_all(here.shards, carry, AT_ONCE, None)
        carry_all(dict.fromkeys(here.texts), describe, AT_ONCE, None)
    finally:
        place.publish()
