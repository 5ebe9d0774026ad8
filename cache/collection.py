"""Leaving in a cache what somebody needs, in few files: see `Cache.collect`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import SerError
from ..files import sync_unwritten
from .access import is_own, read_error
from .aside import is_there, put_back, take_out
from .contents import Contents
from .folders import feature_folders, leftovers, remove_leftovers
from .holders import Holders, superfluous
from .keys import FeatureKey
from .merge import Merge, groups_to_merge, merge
from .removal import Removal
from .shard import ShardIndex
from .verify import check_shard


@dataclass(frozen=True)
class Collection:
    """What `Cache.collect` removed and merged, or would.

    Attributes:
        removals: superfluous shards, of each feature and corpus that has any.
        merges: small shards that were put together, likewise.
        leftovers: files that writers began and never finished.
    """

    removals: tuple[Removal, ...]
    merges: tuple[Merge, ...]
    leftovers: tuple[Path, ...]


def collect(contents: Contents, dry_run: bool, checking: Callable[[Path], None]) -> Collection:
    """Remove superfluous shards and leftovers of writers, merge small shards: see `Cache.collect`.

    Before a shard goes, those that stay are checked byte by byte; a damaged one does not count.
    Feature by feature, and nothing is kept of one when the next is looked at.
    """
    own, *others = contents.layers()
    folders = [folder for folder in feature_folders(own) if is_own(folder, own)]
    if not dry_run:
        for folder in folders:
            put_back(folder)
    removals, merges = [], []
    for key in contents.own().feature_keys():
        shared = [contents.shards(key, layer) for layer in others]
        for corpus, paths in contents.shards(key, own).items():
            beside = [path for shards in shared for path in shards.get(corpus, ())]
            work = _Work(contents, key, paths, beside, checking)
            removals.append(work.remove_superfluous(dry_run))
            merges.append(work.merge_small(dry_run))
    left = leftovers(own) if dry_run else remove_leftovers(own)
    if not dry_run:
        for folder in folders:
            with suppress(OSError):  # something is in it
                folder.rmdir()
    return Collection(
        tuple(removal for removal in removals if removal is not None),
        tuple(merged for merged in merges if merged is not None),
        tuple(left),
    )


class _Work:
    """The shards of one feature and corpus, in one's own folder and in the shared ones."""

    def __init__(
        self,
        contents: Contents,
        key: FeatureKey,
        own: Sequence[Path],
        shared: Sequence[Path],
        checking: Callable[[Path], None],
    ) -> None:
        self._key, self._folder = key, contents.feature_folder(key)
        self._checking = checking
        self._own, self._shared = (
            [index for index in contents.look_at(paths, key).values() if index is not None]
            for paths in (own, shared)
        )

    def remove_superfluous(self, dry_run: bool) -> Removal | None:
        """What was removed, if anything."""
        if not superfluous(self._own, self._shared):
            return None
        whole = [index for index in self._own if self._is_whole(index)]
        holders = Holders(whole, self._shared)
        spare = holders.superfluous()
        removal = Removal.of(self._key, self._folder, [index.path for index in spare])
        if not dry_run:
            _force_to_disk(self._folder, [index for index in whole if index not in spare])
            for index in spare:
                if not take_out(index.path, partial(holders.can_do_without, index, is_there)):
                    removal.sizes.pop(index.path, None)
        self._own = [index for index in self._own if index.path not in removal.sizes]
        return removal if removal.shards else None

    def merge_small(self, dry_run: bool) -> Merge | None:
        """What was merged, if anything."""
        groups = groups_to_merge(self._own, self._shared)
        if not dry_run:
            groups = [gone for gone in merge(groups, self._folder, self._checking) if gone]
        return Merge.of(groups) if groups else None

    def _is_whole(self, index: ShardIndex) -> bool:
        self._checking(index.path)
        try:
            check_shard(index.path)
        except SerError:
            return False
        return True


def _force_to_disk(folder: Path, shards: Sequence[ShardIndex]) -> None:
    """Have shards outlast a power cut: they may have been copied here a moment ago."""
    for path in (*(index.path for index in shards), folder):
        try:
            sync_unwritten(path)
        except FileNotFoundError:
            continue  # which `take_out` will find
        except OSError as error:
            raise read_error(path, error) from error
