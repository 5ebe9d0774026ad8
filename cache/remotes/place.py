"""Where a cache lies that is not opened as one: a folder, a bucket, a server, by a URL."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from ...errors import InputError, MissingPackageError, SerError, install_command
from ...files import folder_or_url
from .. import layout

Moved = Callable[[int], None]
"""Told of bytes that have travelled, as they do; of fewer than none where they must do so again."""

SMALL = 64 << 20
"""Bytes of a manifest, a key or a licence; what has more is none."""

_SHARD = re.compile(rf"features/({layout.FOLDER_NAME.pattern})/({layout.SHARD_NAME.pattern})")
_TEXT = re.compile(
    rf"features/{layout.FOLDER_NAME.pattern}/(key\.json|LICENCE\.txt)"
    r"|manifests/[a-z0-9][a-z0-9_-]*\.terms\.json"
)


class Place(ABC):
    """Files of a cache elsewhere, by their names below it, such as `manifests/emodb.csv`.

    Nothing that it says is believed: names are matched, sizes compared, and bytes checked by
    whoever asked for them. What goes wrong is a SerError that names the place, without credentials.

    Attributes:
        shown: the URL, as it may be printed.
        writable: whether anything can be sent there at all.
    """

    writable: ClassVar[bool] = True

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __str__(self) -> str:
        return self.shown

    @abstractmethod
    def names(self) -> Mapping[str, int | None]:
        """All files below `features/` and `manifests/`, and their bytes where that is known.

        Nothing there is an empty place.

        Raises:
            SerError: it cannot be reached, or not listed.
        """

    def size(self, name: str) -> int | None:
        """Bytes of a file that `names` did not tell; None where there is no telling.

        Raises:
            SerError: the place cannot be reached.
        """
        return None

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none.

        Raises:
            SerError: it cannot be read, or has more than `SMALL` bytes.
        """

    @abstractmethod
    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        """Complete a file that has the first bytes already, from where they end.

        Args:
            size: bytes of the whole, where the place has said; not one more is written.
            file: made where it is not there; its folder is.

        Raises:
            SerError: it breaks off; what has arrived stays, and the same call goes on from there.
        """

    def write(self, name: str, data: bytes) -> None:
        """Put a small file in the place of another, whole or not at all; seen at the latest after
        `publish`.

        Raises:
            SerError: it cannot be written.
        """
        raise InputError(f"{self.shown}: can only be pulled from")

    def send(self, file: Path, name: str, moved: Moved) -> None:
        """Put a shard there that is not there yet; seen when it is whole and its bytes are those
        that its name tells, at the latest after `publish`.

        Raises:
            SerError: it breaks off, or other bytes arrived than were sent; nothing is seen there.
        """
        raise InputError(f"{self.shown}: can only be pulled from")

    def publish(self) -> None:  # noqa: B027 - at most places all is seen as it arrives
        """Make seen whatever has been sent and written.

        Raises:
            SerError: it cannot be; what was sent is kept there as far as the protocol allows.
        """

    def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Put a small file in the place of another, unless that is no longer `old`.

        Returns:
            Whether it was put there. Where the protocol has conditions, nobody comes between the
            look and the deed.

        Raises:
            SerError: it cannot be read or written.
        """
        if self.read(name) != old:
            return False
        self.write(name, new)
        return True

    def tidy(self) -> None:  # noqa: B027 - most places need none
        """Remove what killed processes left there, as far as it is known."""

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of a large file.

        Raises:
            SerError: they cannot be read.
        """
        raise InputError(f"{self.shown}: gives no parts of files")

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """One error of whatever a library raises."""
        try:
            yield
        except SerError:
            raise
        except Exception as error:
            raise self._failure(what, error) from error

    def _failure(self, what: str, error: Exception) -> SerError:
        """The error for what a library raises while something is done."""
        return BrokenOffError(f"{self.shown}: {what} ({self._reason(error):.300})")

    def _reason(self, error: Exception) -> str:
        """What a library says of an error, in a line without credentials."""
        return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class Offer:
    """The features at a place, as its names tell.

    Attributes:
        shards: bytes of each shard, where known, by name below the cache.
        corpora: of which there is a manifest, sorted.
        texts: names of what people read beside them: keys, licences, terms.
    """

    shards: Mapping[str, int | None]
    corpora: list[str]
    texts: frozenset[str]


def by_feature(shards: Mapping[str, int | None]) -> dict[tuple[str, str], tuple[int, int]]:
    """Shards, and their bytes as far as known, by corpus and feature folder; sorted."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for name, size in shards.items():
        group = layout.group_of(name)
        count, total = sums.get(group, (0, 0))
        sums[group] = count + 1, total + (size or 0)
    return dict(sorted(sums.items()))


def not_empty(place: Place, there: Offer) -> Offer:
    """What a place has, or raise InputError where that is nothing."""
    if not there.shards and not there.corpora:
        raise InputError(f"{place}: there is no cache, or an empty one")
    return there


def offer(place: Place) -> Offer:
    """What a place has, less whatever is not named as a cache names it; errors as of `names`."""
    names = place.names()
    from ...manifests import is_corpus_name  # while another place is asked: it takes its time

    manifests = [
        name.removeprefix("manifests/").removesuffix(".csv")
        for name in names
        if name.startswith("manifests/") and name.endswith(".csv")
    ]
    return Offer(
        shards={name: names[name] for name in sorted(names) if _SHARD.fullmatch(name)},
        corpora=sorted(filter(is_corpus_name, manifests)),
        texts=frozenset(filter(_TEXT.fullmatch, names)),
    )


def offers(*places: Place) -> list[Offer]:
    """What each place has, asked of all at once; the error is that of the first that has one."""
    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(offer, places))


def open_place(where: str | Path) -> Place:
    """The place that a folder's path or a URL names. Nothing is asked of it yet.

    Args:
        where: a folder, or `s3://`, `sftp://`, `https://`, `hf://datasets/...`, or any other URL
            whose fsspec package is installed.

    Raises:
        InputError: no such protocol is known.
        MissingPackageError: what it needs is not installed.
        SerError: it cannot be reached.
    """
    if not str(where).strip():
        raise InputError("the place to share with is empty")
    text = folder_or_url(where)
    if isinstance(text, Path):
        from .folder import FolderPlace

        return FolderPlace(text.expanduser())
    scheme = urlsplit(text).scheme.lower()
    if scheme in ("http", "https"):
        from .web import WebPlace

        return WebPlace(text)
    if scheme in ("s3", "s3a"):
        from .bucket import BucketPlace

        return BucketPlace(text)
    if scheme == "hf":
        from .hub import HubPlace

        return HubPlace(text)
    from .filesystem import FilesystemPlace

    return FilesystemPlace(text)


def is_remote(where: str) -> bool:
    """Whether this names something else than a folder."""
    return isinstance(folder_or_url(where), str)


def without_credentials(url: str) -> str:
    """A URL as it may be printed: without a password, and without a query, which may hold a key."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    # What stands before the host of a bucket is no name that people know, but a key.
    shown = f"{name}@{host}" if at and name and parts.scheme in ("sftp", "ssh") else host
    return urlunsplit((parts.scheme, shown, parts.path, "", ""))


class BrokenOffError(SerError):
    """A connection that ended too early, or a place that did not answer: worth another try."""


def missing_package(scheme: str, extra: str | None, error: ImportError) -> MissingPackageError:
    """The error for a protocol whose package is not installed, by the extra that brings it."""
    how = f"Run: {install_command(extra)}" if extra else str(error)
    return MissingPackageError(f"{scheme}:// needs a package that is not installed. {how}")


def check_whole(shown: str, name: str, file: Path, size: int | None) -> None:
    """Raise BrokenOffError for a file that has arrived with too few bytes."""
    have = file.stat().st_size
    if size is not None and have < size:
        raise BrokenOffError(
            f"{shown}: {name} ended after {have} of {size} bytes. Run the same command again: it "
            "goes on there"
        )
