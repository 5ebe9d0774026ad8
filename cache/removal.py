"""Removing features from a cache: those that one names, and shards that nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import SerError
from ..files import partial_beside
from .access import check_own, is_own, write_error
from .folders import (
    feature_folders,
    leftovers,
    may_be_file,
    read_keys,
    remove_leftovers,
    shard_files,
)
from .holdings import is_superfluous, superfluous
from .indices import Indices
from .keys import FeatureKey
from .shard import ShardIndex
from .verify import check_shard, size_of
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
        return sorted({path.stem.rpartition("-")[0] for path in self.sizes})

    def carry_out(self) -> Removal:
        """Remove these shards and no others, and the folder where nothing else is in it.

        Returns:
            What was removed; another process may have been faster.

        Raises:
            SerError: the cache cannot be written.
        """
        check_own(self.folder, self.folder.parents[1])
        removed = {path: size for path, size in self.sizes.items() if self._remove(path)}
        if not shard_files(self.folder):
            for name in ("key.json", LICENCE):
                with suppress(OSError):
                    (self.folder / name).unlink()
            with suppress(OSError):  # another process is writing there
                self.folder.rmdir()
        return Removal(self.key, self.folder, removed)

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise write_error(self.folder, error) from error
        return True


@dataclass(frozen=True)
class Collection:
    """What `Cache.collect` removed, or would remove.

    Attributes:
        removals: superfluous shards, of each feature and corpus that has any.
        leftovers: files that writers began more than a day ago and never finished.
    """

    removals: tuple[Removal, ...]
    leftovers: tuple[Path, ...]


def collect(
    cache: Path, indices: Indices, dry_run: bool, checking: Callable[[Path], None]
) -> Collection:
    """Remove shards that hold nothing that others do not, and leftovers of writers.

    Before a shard goes, those that stay are checked byte by byte; a damaged one does not count.
    Whoever reads meanwhile finds every utterance, and the same bytes.

    Args:
        checking: called with each shard that is checked.

    Raises:
        SerError: the cache cannot be listed, or not written.
    """
    removals = []
    for key in read_keys(cache)[0]:
        folder = cache / "features" / key.folder
        for corpus in Removal.of(key, folder, shard_files(folder)).corpora:
            shards = [
                index
                for path in shard_files(folder, corpus)
                if (index := _readable(path, key, indices)) is not None
            ]
            if superfluous(shards):
                whole = [index for index in shards if _is_whole(index, checking)]
                paths = [each.path for each in superfluous(whole)]
                removal = Removal.of(key, folder, paths)
                if not dry_run:
                    for index in superfluous(whole):
                        if not _take_out(index, whole):
                            removal.sizes.pop(index.path, None)
                if removal.shards:
                    removals.append(removal)
    left = leftovers(cache) if dry_run else remove_leftovers(cache)
    if not dry_run:
        for folder in feature_folders(cache):
            if is_own(folder, cache):
                with suppress(OSError):  # something is in it
                    folder.rmdir()
    return Collection(tuple(removals), tuple(left))


def _readable(path: Path, key: FeatureKey, indices: Indices) -> ShardIndex | None:
    try:
        return indices.read(path, key)
    except SerError:
        return None  # `ser cache verify` says what is wrong with it


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
        there = [each for each in shards if each is index or may_be_file(each.path)]
        spare = is_superfluous(index, there)
    finally:
        if spare:
            aside.unlink(missing_ok=True)
        else:
            aside.replace(index.path)
    return spare
