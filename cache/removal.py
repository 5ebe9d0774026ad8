"""Removing from a cache what one names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .access import check_own, write_error
from .contents import Contents
from .folders import shard_files, size_of
from .keys import FeatureKey
from .layout import corpus_of
from .remedy import not_one, only_shared
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
        return sorted({corpus_of(path.name) for path in self.sizes})

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


def find_removal(contents: Contents, feature: str, corpus: str | None) -> Removal:
    """The shards of one feature, of one corpus or of all: see `Cache.removal`."""
    own = contents.own()
    keys = [key for key in own.matching(feature) if corpus is None or corpus in own.shards(key)]
    if len(keys) != 1:
        what = feature if corpus is None else f"{feature} of {corpus}"
        if not keys and (layers := find_shared(contents, contents.matching(feature), corpus)):
            raise only_shared(contents, what, layers, corpus, feature)
        raise not_one(own, what, keys)
    folder = own.feature_folder(keys[0])
    return Removal.of(keys[0], folder, shard_files(folder, corpus))


def find_corpus(contents: Contents, corpus: str) -> list[Removal]:
    """The shards of all features of one corpus: see `Cache.removals`."""
    own = contents.own()
    removals = [
        Removal.of(key, own.feature_folder(key), paths)
        for key in own.feature_keys()
        if (paths := own.shards(key).get(corpus))
    ]
    if not removals:
        if layers := find_shared(contents, contents.feature_keys(), corpus):
            raise only_shared(contents, corpus, layers, corpus)
        raise InputError(f"no features of {corpus} in {own.folder}; `ser cache ls` lists them")
    return removals


def find_shared(
    contents: Contents, keys: Iterable[FeatureKey], corpus: str | None = None
) -> list[Path]:
    """The shared folders that hold one of some features, of one corpus or of any."""
    wanted = list(keys)
    return [
        layer
        for layer in list(contents.layers())[1:]
        if any(
            shards if corpus is None else corpus in shards
            for shards in (contents.shards(key, layer) for key in wanted)
        )
    ]
