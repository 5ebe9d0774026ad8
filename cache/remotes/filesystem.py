"""A cache below a URL of fsspec: SFTP, whatever a package adds."""

from __future__ import annotations

import hashlib
import shlex
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import InputError, SerError
from ...files import PARTIAL
from ..access import read_error
from .folder import append
from .place import SMALL, Moved, Place, check_whole, missing_package, without_credentials

PIECE = 4 << 20
"""Bytes of a file that are asked for, or sent, at once."""
OBJECT_PIECE = 16 << 20
"""As `PIECE`, where each is a request of its own."""
CONNECT_SECONDS = 20
QUIET_SECONDS = 60
"""Without a byte or a sign of life, after which a connection is given up."""

OBJECT_STORES = {"gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss"}
"""Protocols by which a file is seen when all of it has arrived, with its checksum compared by the
server; by the others it is sent under a name that nobody looks at, compared, and renamed."""
_OURS = {"sftp": "remotes", "ssh": "remotes"}


class FilesystemPlace(Place):
    """The cache below an fsspec URL.

    Credentials are those of the protocol: of SFTP the agent, the keys and ~/.ssh/config; hosts must
    be in ~/.ssh/known_hosts.
    """

    def __init__(self, url: str) -> None:
        super().__init__(without_credentials(url).rstrip("/"))
        self._scheme = urlsplit(url).scheme.lower()
        self._secret = unquote(urlsplit(url).password or "")
        self._url, self._opening = url, threading.Lock()
        self._opened: tuple[Any, str] | None = None
        with self._telling("cannot be reached"):
            self._root = self._connection()[1].rstrip("/")
        self._whole = self._scheme in OBJECT_STORES
        # Without a cache of its own each read is one request; of SFTP's files that is so anyway.
        self._reading = {"cache_type": "none", "block_size": OBJECT_PIECE} if self._whole else {}
        self._piece = OBJECT_PIECE if self._whole else PIECE

    @property
    def _files(self) -> Any:
        return self._connection()[0]

    def _connection(self) -> tuple[Any, str]:
        with self._opening:
            if self._opened is None:
                self._opened = _open(self._url, self._scheme)
            return self._opened

    def _failure(self, what: str, error: Exception) -> SerError:
        if not isinstance(error, FileNotFoundError | PermissionError):
            self._opened = None  # it may be cut: whoever tries again has a new one
        return super()._failure(what, error)

    def names(self) -> Mapping[str, int | None]:
        names: dict[str, int | None] = {}
        for folder in ("features", "manifests"):
            with self._telling("cannot be listed"):
                try:
                    found = self._files.find(f"{self._root}/{folder}", detail=True)
                except FileNotFoundError:
                    continue
            for path, info in found.items():
                _, inside, name = str(path).partition(f"{self._root}/{folder}/")
                if inside:
                    size = info.get("size")
                    names[f"{folder}/{name}"] = size if isinstance(size, int) else None
        return names

    def read(self, name: str) -> bytes | None:
        with self._telling(f"{name} cannot be read"):
            try:
                with self._files.open(self._path(name), "rb") as file:
                    data: bytes = file.read(SMALL + 1)
            except FileNotFoundError:
                return None
        if len(data) > SMALL:
            raise SerError(f"{self.shown}: {name} has more than {SMALL} bytes")
        return data

    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        have = file.stat().st_size if file.exists() else 0
        with self._telling(f"{name} cannot be read"):
            whole = self._files.size(self._path(name)) if size is None else size
        if whole is None or have < whole:
            append(file, self._pieces(name, have, whole), moved)
            check_whole(self.shown, name, file, whole)

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with self._telling(f"{name} cannot be written"):
            self._make_folder(path)
            if self._whole:
                self._files.pipe_file(path, data)
                return
            partial = _partial(path, uuid.uuid4().hex)  # others may write the same
            self._files.pipe_file(partial, data)
            self._files.mv(partial, path)

    def send(self, file: Path, name: str, moved: Moved) -> None:
        path = self._path(name)
        with self._telling(f"{name} cannot be written"):
            self._make_folder(path)
            if self._whole:
                self._files.put_file(str(file), path, callback=_callback(moved))
                arrived = self._files.size(path)
                if arrived not in (None, file.stat().st_size):
                    raise SerError(f"{self.shown}: {name} arrived with {arrived} bytes")
                return
            partial = _partial(path)
            self._append(file, partial, moved)
            if not self._digest(partial).startswith(file.stem.rpartition("-")[2]):
                with suppress(Exception):
                    self._files.rm_file(partial)
                raise SerError(
                    f"{self.shown}: {name} arrived with other bytes than were sent. It was not "
                    "kept: run the same command again"
                )
            self._files.mv(partial, path)

    def part(self, name: str, start: int, stop: int) -> bytes:
        with (
            self._telling(f"{name} cannot be read"),
            self._files.open(self._path(name), "rb", **self._reading) as file,
        ):
            file.seek(start)
            data: bytes = file.read(stop - start)
            return data

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _pieces(self, name: str, start: int, stop: int | None) -> Iterator[bytes]:
        with self._telling(f"{name} cannot be read"):
            file = self._files.open(self._path(name), "rb", **self._reading)
        with file:
            at = start
            with self._telling(f"{name} cannot be read"):
                file.seek(start)
            while stop is None or at < stop:
                with self._telling(f"{name} cannot be read"):
                    piece = file.read(self._piece if stop is None else min(self._piece, stop - at))
                if not piece:
                    return
                at += len(piece)
                yield piece

    def _append(self, file: Path, partial: str, moved: Moved) -> None:
        """Send what an unfinished file there does not have yet."""
        size = file.stat().st_size
        try:
            have = int(self._files.info(partial)["size"])
        except FileNotFoundError:
            have = 0
        if not 0 < have <= size:
            have = 0
        moved(have)
        try:
            reader = file.open("rb")
        except OSError as error:
            raise read_error(file, error) from error
        with reader, self._files.open(partial, "ab" if have else "wb") as writer:
            reader.seek(have)
            while piece := reader.read(PIECE):
                writer.write(piece)
                moved(len(piece))

    def _digest(self, path: str) -> str:
        """The SHA-256 of a file there: computed there where it can be, else of what comes back."""
        if hasattr(self._files, "execute"):
            with suppress(Exception):
                source = shlex.quote(path)  # openssl knows what the processor has for it
                command = f"openssl dgst -sha256 -r < {source} || sha256sum < {source}"
                said = str(self._files.execute(command).stdout)
                if len(digest := said[:64]) == 64 and not set(digest) - set("0123456789abcdef"):
                    return digest
        state = hashlib.sha256()
        with self._files.open(path, "rb", **self._reading) as file:
            while piece := file.read(PIECE):
                state.update(piece)
        return state.hexdigest()

    def _make_folder(self, path: str) -> None:
        if not self._whole:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _reason(self, error: Exception) -> str:
        reason = super()._reason(error)
        return reason.replace(self._secret, "...") if self._secret else reason


def _open(url: str, scheme: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it."""
    import fsspec

    known = {*fsspec.registry, *fsspec.available_protocols()}
    if scheme not in {*known, "sftp", "ssh"}:
        raise InputError(
            f"{scheme}://: no such protocol; expected a folder, s3://, sftp://, https://, hf:// or "
            "another of fsspec's"
        )
    try:
        if scheme in ("sftp", "ssh"):
            return _open_sftp(url)
        files, path = fsspec.core.url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
    except ImportError as error:
        raise missing_package(scheme, _OURS.get(scheme), error) from error
    return files, path


def _open_sftp(url: str) -> tuple[Any, str]:
    from sshfs import SSHFileSystem

    parts = urlsplit(url)
    if not parts.hostname:
        raise InputError(f"{without_credentials(url)}: names no host; expected sftp://HOST/FOLDER")
    login = {
        "port": parts.port,
        "username": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
    }
    files = SSHFileSystem(
        parts.hostname,
        known_hosts=(),  # those of the user: without it, any host would be believed
        encryption_algs=_fast_ciphers(),
        connect_timeout=CONNECT_SECONDS,
        keepalive_interval=QUIET_SECONDS // 4,
        keepalive_count_max=4,
        **{name: value for name, value in login.items() if value},
        skip_instance_cache=True,
    )
    return files, unquote(parts.path) or "."


def _fast_ciphers() -> list[str]:
    """Those that processors have an instruction for, before the others."""
    from asyncssh.encryption import get_default_encryption_algs

    names = [name.decode("ascii") for name in get_default_encryption_algs()]
    return sorted(names, key=lambda name: "gcm" not in name)


def _callback(moved: Moved) -> Any:
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            moved(inc)

    return Told()


def _partial(path: str, once: str = "") -> str:
    """A name that no reader looks at, the same whenever this user sends this file from here; or
    this once."""
    import getpass
    import platform

    sender = f"{platform.node()} {getpass.getuser()} {once}"
    folder, _, name = path.rpartition("/")
    return f"{folder}/{PARTIAL}{hashlib.sha256(sender.encode()).hexdigest()[:12]}-{name}"
