"""A cache in a bucket of S3, or of what speaks like it."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ...errors import InputError, SerError
from ..access import read_error
from .folder import append, pieces_of, told
from .place import SMALL, Moved, Place, check_whole, missing_package, without_credentials

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from obstore import GetOptions
    from obstore.store import ClientConfig, S3Config, S3Credential, S3Store

PIECE = 1 << 20
"""Bytes that are taken from an answer at once."""
PART = 32 << 20
"""Bytes that are sent in one request; of a larger shard several such parts."""
CONNECT = timedelta(seconds=20)
QUIET = timedelta(seconds=60)
"""Without a byte, after which a connection is given up."""
RETRIES = 2
"""Of one request, at once; a transfer that breaks off is tried again by `carry_all`."""
RENEWED = timedelta(minutes=10)
"""After which credentials are asked for again."""
AMAZON = "https://s3.amazonaws.com"
"""Where a bucket's region is asked for."""

_REASON = re.compile(r"<Code>([^<]{1,100})</Code>.*?<Message>([^<]{0,200})", re.DOTALL)
_SYSTEM = re.compile(r'message: "([^"]{1,100})"')


class BucketPlace(Place):
    """The cache below an s3:// URL.

    Credentials, region, address and certificates are those of the environment and ~/.aws, as for
    every S3 client; without any, the bucket is read as the public may. An object is seen when all
    of it has arrived, and every request is signed together with the hash of what it sends.
    """

    def __init__(self, url: str) -> None:
        super().__init__(without_credentials(url).rstrip("/"))
        parts = urlsplit(url)
        if not parts.hostname:
            raise InputError(f"{self.shown}: names no bucket; expected s3://BUCKET/PATH")
        if "@" in parts.netloc:
            raise InputError(
                f"{self.shown}: keys do not belong into the URL of a bucket. Set AWS_PROFILE, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        with self._telling("cannot be reached"):
            self._store = _open(parts.netloc, unquote(parts.path).strip("/"))

    def names(self) -> Mapping[str, int | None]:
        import obstore

        with self._telling("cannot be listed"):
            return {
                entry["path"]: entry["size"]
                for folder in ("features", "manifests")
                for page in obstore.list(self._store, folder, chunk_size=1000)
                for entry in page
            }

    def read(self, name: str) -> bytes | None:
        with self._telling(f"{name} cannot be read"):
            return self._read(name)[0]

    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        have = file.stat().st_size if file.exists() else 0
        if size is None or have < size:
            append(file, self._pieces(name, have, size), moved)
            check_whole(self.shown, name, file, size)

    def write(self, name: str, data: bytes) -> None:
        import obstore

        with self._telling(f"{name} cannot be written"):
            obstore.put(self._store, name, data, use_multipart=False)

    def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._telling(f"{name} cannot be written"):
            there, tag = self._read(name)
            if there != old:
                return False
            try:
                obstore.put(self._store, name, new, mode={"e_tag": tag} if tag else "create")
            except (AlreadyExistsError, PreconditionError):
                return False
            except Exception as error:
                if "NotImplemented" not in str(error):  # of a server that knows no conditions
                    raise
                self.write(name, new)
            return True

    def send(self, file: Path, name: str, moved: Moved) -> None:
        import obstore

        try:
            size, reader = file.stat().st_size, file.open("rb")
        except OSError as error:
            raise read_error(file, error) from error
        with reader, self._telling(f"{name} cannot be written"):
            if size <= PART:
                data = b"".join(pieces_of(reader, file))
                obstore.put(self._store, name, data, use_multipart=False)
                moved(size)
                return
            parts = told(pieces_of(reader, file, size=PART), moved)
            obstore.put(self._store, name, parts, chunk_size=PART, max_concurrency=1)

    def part(self, name: str, start: int, stop: int) -> bytes:
        import obstore

        with self._telling(f"{name} cannot be read"):
            return bytes(obstore.get_range(self._store, name, start=start, end=stop))

    def _pieces(self, name: str, start: int, stop: int | None) -> Iterator[bytes]:
        import obstore

        with self._telling(f"{name} cannot be read"):
            # An empty object has no range.
            options: GetOptions = {"range": {"offset": start}} if start else {}
            answer = obstore.get(self._store, name, options=options)
            pieces = iter(answer.stream(min_chunk_size=PIECE))
        left = None if stop is None else stop - start
        while left is None or left > 0:
            with self._telling(f"{name} cannot be read"):
                if (piece := next(pieces, None)) is None:
                    return
            piece = bytes(piece[:left])
            if left is not None:
                left -= len(piece)
            yield piece

    def _read(self, name: str) -> tuple[bytes | None, str | None]:
        """A small object and its tag."""
        import obstore

        try:
            answer = obstore.get(self._store, name)
        except FileNotFoundError:
            return None, None
        if answer.meta["size"] > SMALL:
            raise SerError(f"{self.shown}: {name} has more than {SMALL} bytes")
        return bytes(answer.bytes()), answer.meta["e_tag"]

    def _reason(self, error: Exception) -> str:
        said, _, details = str(error).partition("\n\nDebug source:")
        if answer := _REASON.search(said):
            return ": ".join(answer.groups())
        cause = _SYSTEM.search(details)
        return " ".join(said.split()) + (f": {cause[1]}" if cause else "")


def _open(bucket: str, path: str) -> S3Store:
    """A store as ~/.aws and the environment describe it.

    Raises:
        MissingPackageError: the libraries are not installed.
        SerError: a file that they name cannot be read.
    """
    try:
        from botocore.configprovider import ConfiguredEndpointProvider
        from botocore.session import Session
        from obstore.store import S3Store
    except ImportError as error:
        raise missing_package("s3", "remotes", error) from error
    session = Session()
    endpoint = ConfiguredEndpointProvider(
        session.full_config, session.get_scoped_config(), "s3"
    ).provide()
    region = session.get_config_variable("region")
    bundle = session.get_config_variable("ca_bundle")
    client: ClientConfig = {
        "allow_http": True,
        "connect_timeout": CONNECT,
        "read_timeout": QUIET,
        "timeout": timedelta(days=7),  # of a whole answer: what is slow is not broken
    }
    if bundle:
        client["root_certificate"] = _certificates(Path(bundle))
    found = session.get_credentials()
    if not endpoint:
        region = _region_of(bucket) or region
    config: S3Config = {"region": region or "us-east-1"}
    if endpoint:
        config["endpoint"] = endpoint
    return S3Store(
        bucket,
        prefix=path or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": RETRIES},
        credential_provider=_Credentials(found) if found else None,
        skip_signature=found is None,
    )


class _Credentials:
    """What botocore has found, renewed by it where they expire."""

    def __init__(self, found: Credentials) -> None:
        self._found = found

    def __call__(self) -> S3Credential:
        now = self._found.get_frozen_credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + RENEWED,
        }


def _certificates(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise read_error(path, error) from error


def _region_of(bucket: str) -> str | None:
    """Where Amazon has a bucket, which it tells anybody; None where it does not answer."""
    request = urllib.request.Request(f"{AMAZON}/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=CONNECT.total_seconds()) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:  # 301, 403 and 404 tell it too
        headers = error.headers
    except (OSError, http.client.HTTPException):
        return None
    region: str | None = headers.get("x-amz-bucket-region")
    return region
