"""Bringing to another place what it lacks of a cache, and from there what is lacking here."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError, SerError
from .. import layout
from ..cache import Cache
from ..manifests import store_manifest
from ..terms import Terms, parse_terms, read_terms, save_terms, terms_file
from ..verify import check_shard
from . import arrivals
from .folder import FolderPlace
from .labels import (
    Labels,
    difference,
    manifest_name,
    parse_manifest,
    same_manifest,
    united,
)
from .place import Moved, Offer, Place, by_feature, not_empty, offer, offers
from .selection import corpora_of, selected
from .transfers import Progress, carry_all

if TYPE_CHECKING:
    from ...manifests import Manifest

AT_ONCE = 8
"""Shards that travel at the same time."""
RACES = 10
"""How often in a row another may have changed a manifest before one was sent."""


@dataclass(frozen=True)
class Plan:
    """What a push or a pull would move, and does.

    Attributes:
        cache, place: from one to the other.
        shards: bytes of each that is missing, where known, by name below both.
        present: how many of those that were asked for are there.
        manifests: those that are to be written, by corpus, as they then will be.
        notes: what is said of manifests: added, extended, kept.
        terms: of each corpus concerned, where anything is known.
        texts: names of what people read beside features and manifests that is missing.
        seen: the manifests there, as they were when this was planned.
        labels: whose count where both say different things.
    """

    cache: Cache
    place: Place
    shards: Mapping[str, int | None]
    present: int
    manifests: Mapping[str, Manifest]
    notes: list[str]
    seen: Mapping[str, bytes | None]
    terms: Mapping[str, Terms]
    texts: list[str]
    labels: Labels | None

    @property
    def bytes(self) -> int:
        """Of all shards, as far as known."""
        return sum(size or 0 for size in self.shards.values())

    @property
    def licensees_only(self) -> list[str]:
        """Corpora of which something would move that only licensees may have."""
        moving = {layout.corpus_of(name) for name in self.shards} | set(self.manifests)
        return [
            name for name, terms in self.terms.items() if terms.licensees_only and name in moving
        ]

    def by_feature(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Shards and bytes by corpus and feature folder."""
        return by_feature(self.shards)


def plan_pull(
    cache: Cache,
    place: Place,
    corpora: Sequence[str] = (),
    features: Sequence[str] = (),
    labels: Labels | None = None,
) -> Plan:
    """What a cache lacks of what a place has.

    Args:
        corpora, features: only these; all where none is named. A feature is a spec, or spec and
            first digits of the key's hash: `mfcc@3f`.
        labels: whose manifest counts where the two say different things of the same utterances.

    Raises:
        InputError: the place has nothing, or nothing of that name; or manifests contradict each
            other and `labels` is not given.
        SerError: the place cannot be read.
    """
    offered, here = offers(place, FolderPlace(*cache.folders))
    there = not_empty(place, selected(place, offered, corpora, features))
    missing = {name: size for name, size in there.shards.items() if name not in here.shards}
    manifests = _reconcile(cache, place, there.corpora, labels, pulling=True)
    return Plan(
        cache=cache,
        place=place,
        shards=_with_sizes(place, missing),
        present=len(there.shards) - len(missing),
        manifests=manifests.written,
        notes=manifests.notes,
        seen=manifests.seen,
        terms=_terms_there(place, cache, there),
        texts=sorted(there.texts - here.texts),
        labels=labels,
    )


def pull(plan: Plan, at_once: int = AT_ONCE, progress: Progress | None = None) -> None:
    """Carry out what `plan_pull` has found.

    Every shard is checked before it is seen; what was cut goes on where it was cut.

    Raises:
        SerError: it broke off, or what arrived is not what its name says; what has arrived whole
            stays.
    """
    cache = plan.cache
    cache.check_writable()
    arrivals.sweep(cache.folder)
    _check_room(cache.folder, plan)
    for corpus, terms in plan.terms.items():
        if terms_file(corpus) in plan.texts:
            save_terms(cache.folder, corpus, terms)
    for manifest in plan.manifests.values():
        store_manifest(cache, manifest, replace=True)

    def carry(name: str, size: int | None, moved: Moved) -> None:
        arrivals.take(plan.place, name, size, cache.folder, moved)

    carry_all(plan.shards, carry, at_once, progress)
    for name in plan.texts:
        if name.startswith("features/"):
            arrivals.describe_folder(cache.folder, name.rpartition("/")[0])
    arrivals.sweep(cache.folder)


def plan_push(
    cache: Cache,
    place: Place,
    corpora: Sequence[str] = (),
    features: Sequence[str] = (),
    labels: Labels | None = None,
) -> Plan:
    """What a place lacks of what a cache has; arguments and errors as of `plan_pull`."""
    if not place.writable:
        raise InputError(f"{place}: can only be pulled from")
    mine = FolderPlace(*cache.folders)
    here, there = selected(mine, offer(mine), corpora, features), offer(place)
    if not here.shards and not here.corpora:
        raise InputError(f"{cache}: is an empty cache")
    missing = {name: size for name, size in here.shards.items() if name not in there.shards}
    for name in here.shards.keys() & there.shards.keys():
        if there.shards[name] not in (None, here.shards[name]):
            missing[name] = here.shards[name]  # it was cut, or is another file under that name
    manifests = _reconcile(cache, place, here.corpora, labels, pulling=False)
    known = ((corpus, read_terms(cache.folders, corpus)) for corpus in corpora_of(here))
    return Plan(
        cache=cache,
        place=place,
        shards=missing,
        present=len(here.shards) - len(missing),
        manifests=manifests.written,
        notes=manifests.notes,
        seen=manifests.seen,
        terms={corpus: terms for corpus, terms in known if terms},
        texts=sorted(here.texts - there.texts),
        labels=labels,
    )


def push(plan: Plan, at_once: int = AT_ONCE, progress: Progress | None = None) -> None:
    """Carry out what `plan_push` has found: shards first, checked before they leave, then what is
    read beside them, and manifests last, so that whoever finds one finds its features.

    Raises:
        SerError: it broke off, or a shard here is damaged; what has arrived whole stays.
    """
    mine, place = FolderPlace(*plan.cache.folders), plan.place

    def carry(name: str, size: int | None, moved: Moved) -> None:
        path = mine.path(name)
        check_shard(path)
        place.send(path, name, moved)

    try:
        carry_all(plan.shards, carry, at_once, progress)
        for name in plan.texts:
            if (data := mine.read(name)) is not None:
                place.write(name, data)
    finally:  # of what broke off, what has arrived
        place.publish()
    for corpus, manifest in plan.manifests.items():
        _push_manifest(plan, corpus, manifest)
    place.tidy()


@dataclass(frozen=True)
class _Manifests:
    """What is to become of the manifests of some corpora, and what was said of them there."""

    written: dict[str, Manifest]
    notes: list[str]
    seen: dict[str, bytes | None]


def _reconcile(
    cache: Cache, place: Place, corpora: Sequence[str], labels: Labels | None, pulling: bool
) -> _Manifests:
    """Compare the manifests here and there.

    Raises:
        InputError: some contradict each other, and nobody has said whose count; all are named.
    """
    mine = FolderPlace(*cache.folders)
    found, problems = _Manifests({}, [], {}), []
    for corpus in corpora:
        name = manifest_name(corpus)
        here, there = mine.read(name), place.read(name)
        found.seen[corpus] = there
        if here == there or (there if pulling else here) is None:
            continue
        ours = cache.manifest(corpus) if here is not None else None
        theirs = parse_manifest(there, corpus, place) if there is not None else None
        if ours is None or theirs is None:
            new = theirs if ours is None else ours
            assert new is not None, "one of them is there"
            found.written[corpus] = new
            found.notes.append(f"{corpus}: manifest of {len(new)} utterances")
            continue
        try:
            merged = united(ours, theirs, labels)
        except InputError as error:
            problems.append(str(error))
            continue
        if not same_manifest(ours if pulling else theirs, merged):
            found.written[corpus] = merged
            becomes = f"{'here' if pulling else 'there'} it becomes {_whose(merged, ours, theirs)}"
            found.notes.append(f"{difference(ours, theirs)}; {becomes}")
    if problems:
        raise InputError("\n".join(problems))
    return found


def _push_manifest(plan: Plan, corpus: str, manifest: Manifest) -> None:
    """Put a manifest there; made anew where somebody was faster."""
    place, name, there = plan.place, manifest_name(corpus), plan.seen[corpus]
    for _ in range(RACES):
        if place.replace(name, there, manifest.to_bytes()):
            return
        if (there := place.read(name)) is not None:
            theirs = parse_manifest(there, corpus, place)
            manifest = united(plan.cache.manifest(corpus), theirs, plan.labels)
    raise SerError(f"{place}: {name} changes all the time. Run the same command again")


def _whose(merged: Manifest, ours: Manifest, theirs: Manifest) -> str:
    if same_manifest(merged, theirs):
        return f"the one there ({len(theirs)} utterances)"
    if same_manifest(merged, ours):
        return f"the one here ({len(ours)} utterances)"
    return f"one of both ({len(merged)} utterances)"


def _with_sizes(place: Place, shards: Mapping[str, int | None]) -> dict[str, int | None]:
    """Ask for the sizes that the list did not tell."""
    unknown = [name for name, size in shards.items() if size is None]
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        found = dict(zip(unknown, pool.map(place.size, unknown), strict=True))
    return {name: size if size is not None else found[name] for name, size in shards.items()}


def _terms_there(place: Place, cache: Cache, there: Offer) -> dict[str, Terms]:
    terms: dict[str, Terms] = {}
    for corpus in corpora_of(there):
        name = terms_file(corpus)
        data = place.read(name) if name in there.texts else None
        known = None if data is None else parse_terms(data, f"{place}: {name}")
        if found := known or read_terms(cache.folders, corpus):
            terms[corpus] = found
    return terms


def _check_room(folder: Path, plan: Plan) -> None:
    free = shutil.disk_usage(folder).free
    if plan.bytes > free:
        raise SerError(
            f"{folder}: {plan.bytes / 1e9:.2f} GB are to come, and {free / 1e9:.2f} GB are free. "
            "Make room, or name fewer with --corpus and --features"
        )
