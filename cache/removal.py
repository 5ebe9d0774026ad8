"""Removing features from a cache: those that one names, and shards that nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import SerError
from ..files import partial_beside
from .access import check_own, is_own, write_error
from .contents import Contents
from .folders import feature_folders, leftovers, may_be_file, remove_leftovers, shard_files, size_of
from .holdings import superfluous
from .keys import FeatureKey
from .layout import corpus_of
from .remedy import not_one
from .shard import ShardIndex
from .verify import check_shard
from .writer import LICENCE


@dataclass(frozen=True)
class Removal:
    """Shards of one feature that are to be removed, or were.

    Attributes:
        folder: the feature folder.
        sizes: of the shards, in bytes, by path.
    """

    key: FeatureKey
    folder: Path
    sizes: dict[Path, int]

    @classmethod
    def of(cls, key: FeatureKey, folder: Path, paths: Sequence[Path]) -> Removal:
        """The removal of these shards, as far as they are there."""
        sizes = {path: size for path in paths if (size := size_of(path)) is not None}
        return cls(key, folder, sizes)

    @property
    def shards(self) -> int:
        """How many."""
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(self.sizes.values())

    @property
    def corpora(self) -> list[str]:
        """Which they are of, sorted."""
        return sorted(set(map(corpus_of, self.sizes)))

    def carry_out(self) -> Removal:
        """Remove these shards and no others, and the folder where nothing else is in it.

        Returns:
            What was removed; another process may have been faster.

        Raises:
            SerError: the cache cannot be written.
        """
        check_own(self.folder, self.folder.parents[1])
        removed = {}
        for path, size in self.sizes.items():
            try:
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise write_error(self.folder, error) from error
            removed[path] = size
        if not shard_files(self.folder):
            for name in ("key.json", LICENCE):
                with suppress(OSError):
                    (self.folder / name).unlink()
            with suppress(OSError):  # another process is writing there
                self.folder.rmdir()
        return Removal(self.key, self.folder, removed)


@dataclass(frozen=True)
class Collection:
    """What `Cache.collect` removed, or would remove.

    Attributes:
        removals: superfluous shards, of each feature and corpus that has any.
        leftovers: files that writers began and never finished.
    """

    removals: tuple[Removal, ...]
    leftovers: tuple[Path, ...]


def find_removal(contents: Contents, feature: str, corpus: str | None) -> Removal:
    """The shards of one feature, of one corpus or of all: see `Cache.removal`."""
    keys = contents.matching(feature)
    if corpus is not None:
        keys = [key for key in keys if corpus in contents.shards(key)]
    if len(keys) != 1:
        raise not_one(contents, feature if corpus is None else f"{feature} of {corpus}", keys)
    folder = contents.feature_folder(keys[0])
    return Removal.of(keys[0], folder, shard_files(folder, corpus))


def collect(contents: Contents, dry_run: bool, checking: Callable[[Path], None]) -> Collection:
    """Remove superfluous shards and leftovers of writers: see `Cache.collect`.

    Before a shard goes, those that stay are checked byte by byte; a damaged one does not count.
    """
    cache, removals = contents.folder, []
    for key in contents.feature_keys():
        for paths in contents.shards(key).values():
            looked_at = contents.look_at(paths, key).values()
            shards = [index for index in looked_at if index is not None]
            if not superfluous(shards):
                continue
            whole = [index for index in shards if _is_whole(index, checking)]
            spare = superfluous(whole)
            folder = contents.feature_folder(key)
            removal = Removal.of(key, folder, [index.path for index in spare])
            for index in () if dry_run else spare:
                if not _take_out(index, whole):
                    removal.sizes.pop(index.path, None)
            if removal.shards:
                removals.append(removal)
    leftover = leftovers(cache) if dry_run else remove_leftovers(cache)
    if not dry_run:
        for folder in feature_folders(cache):
            if is_own(folder, cache):
                with suppress(OSError):  # something is in it
                    folder.rmdir()
    return Collection(tuple(removals), tuple(leftover))


def _is_whole(index: ShardIndex, checking: Callable[[Path], None]) -> bool:
    checking(index.path)
    try:
        check_shard(index.path)
    except SerError:
        return False
    return True


def _take_out(index: ShardIndex, shards: Sequence[ShardIndex]) -> bool:
    """Remove one of some shards, unless others that were to stay are gone by now.

    It is made invisible first and then looked whether the rest is enough: two processes that do
    this at once put back what both have taken.
    """
    aside = partial_beside(index.path)
    try:
        index.path.rename(aside)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise write_error(index.path.parent, error) from error
    spare = False
    try:
        left = [other for other in shards if other is index or may_be_file(other.path)]
        others = [other for other in left if other is not index]
        spare = _what_is_read(others) == _what_is_read(left)
    finally:
        if spare:
            aside.unlink(missing_ok=True)
        else:
            aside.replace(index.path)
    return spare


def _what_is_read(shards: Sequence[ShardIndex]) -> dict[str, bytes]:
    """The checksum of what is read of each utterance: the first shard by name counts."""
    checksums: dict[str, bytes] = {}
    for index in reversed(shards):
        checksums.update(zip(index.utterances, index.checksums, strict=True))
    return checksums
