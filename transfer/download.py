"""One file over http(s): resumed where it broke off, and never taken for whole when it is not."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from .. import __version__
from ..errors import InputError, SerError
from ..files import atomic_text, read_json
from .partial_file import open_own, own_size, remove
from .transport import BROKEN, LEAST, open_url

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and, where it is known, the bytes there are."""

TRIES = 4
"""Connections in a row that bring next to nothing before it fails."""
CONNECTIONS = 200
"""Connections in all."""
MOST = 8 << 30
"""Bytes of a file of which nothing is known."""
PAUSE = 1.0
"""Seconds before the second connection; doubled for each further one."""

_CHUNK = 1 << 20
_MOST_NOTE = 16_384
_WORTH_RETRYING = {408, 425, 429, 500, 502, 503, 504}
_REFUSED = {
    401: "it asks for a login",
    403: "access is refused",
    404: "there is no such file",
    410: "it is gone",
}
_NOT_THERE = {404, 410}
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_HEAD = 256


class _BrokenOffError(Exception):
    """A connection that ended too early; the message says how."""


class UselessError(SerError):
    """What arrives is not the file, and none of it is to be kept."""


class _Note(msgspec.Struct, frozen=True):
    """What is kept beside an unfinished file."""

    url: str = ""
    """Where it comes from."""
    validator: Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,1000}\Z")] = ""
    """ETag or date by which the server knows the same bytes again."""
    total: int | None = None
    """Bytes of the whole file, where that was said."""


def download(
    url: str,
    path: Path,
    progress: Progress | None = None,
    most: int = MOST,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Fetch `url` to `path`, going on from what an earlier attempt left there.

    What is there is trusted only while the server says (by ETag or date, kept in a file beside
    it) that it still serves the same bytes; otherwise it begins anew.

    Args:
        url: an http(s) address.
        path: where to; its name may be known to others, see `partial_file`.
        progress: told what has arrived.
        most: bytes; a longer file is refused.
        headers: to be sent besides, to this host alone, such as a login.

    Raises:
        InputError: not an http(s) address.
        SerError: no network, no such file, something else than a file, too long, or it keeps
            breaking off; what has arrived of a file stays.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: not an http or https address")
    path.parent.mkdir(parents=True, exist_ok=True)
    report = progress or (lambda done, total: None)
    failures = 0
    for _ in range(CONNECTIONS):
        before = own_size(path)
        try:
            _connect(url, path, report, most, headers)
        except _BrokenOffError as error:
            failures = 0 if own_size(path) - before >= LEAST else failures + 1
            reason = error
            if failures >= TRIES:
                break
            time.sleep(PAUSE * 2 ** max(0, failures - 1))
        except UselessError:
            discard(path)
            raise
        else:
            remove(_note_path(path))
            return
    raise SerError(
        f"{url}: cannot be fetched ({reason}). {own_size(path)} bytes have arrived and are kept: "
        "run again to go on"
    )


def discard(path: Path) -> None:
    """Remove an unfinished download."""
    remove(path)
    remove(_note_path(path))


def _connect(url: str, path: Path, report: Progress, most: int, more: Mapping[str, str]) -> None:
    """One connection, which brings all that is missing or breaks off."""
    note = _read_note(path)
    have = own_size(path) if note.validator and note.url == url else 0
    try:
        headers = {"User-Agent": f"ser/{__version__}", "Accept-Encoding": "identity", **more}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": note.validator}
        with open_url(url, headers) as response:
            _receive(response, url, path, have, note, report, most)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing beyond what is here, or not the same file
            if _total(error.headers) == have and note.total in (None, have):
                return
            discard(path)
            raise _BrokenOffError("what had arrived does not fit the file") from None
        said = f"the server says {error.code} {error.reason}"
        if error.code in _WORTH_RETRYING:
            raise _BrokenOffError(said) from None
        raise SerError(
            f"{url}: cannot be fetched: {_REFUSED.get(error.code, said)} ({error.code})"
        ) from (FileNotFoundError(url) if error.code in _NOT_THERE else None)
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise _BrokenOffError(f"no connection: {reason}") from None
    except BROKEN as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from None
    except ValueError as error:  # an address that no host can have
        raise SerError(f"{url}: cannot be fetched ({error})") from None


def _receive(
    response: http.client.HTTPResponse,
    url: str,
    path: Path,
    have: int,
    note: _Note,
    report: Progress,
    most: int,
) -> None:
    """Write what comes, behind the `have` bytes that are there or, if it is all of it, anew."""
    _check_answer(response, url)
    if response.status == 206:
        total = _total(response.headers)
        why = _misfit(response, have, note)
        if why:
            discard(path)
            raise _BrokenOffError(why)
    else:
        have = 0
        total = _number(response.headers.get("Content-Length", ""))
        _remember(path, url, response.headers, total)
    if total is not None and total > most:
        raise UselessError(
            f"{url}: cannot be fetched: it has {total} bytes, expected at most {most}"
        )
    with _writing(path):
        file = open_own(path, have)
    with file:
        done = have
        head = b"" if not have else None
        report(done, total)
        while chunk := response.read1(_CHUNK):  # as soon as something is there
            if head is not None and len(head) < _HEAD:
                head += chunk[:_HEAD]
                if _PAGE.match(head):
                    raise UselessError(_page(url))
            with _writing(path):
                file.write(chunk)
            done += len(chunk)
            if done > most:
                raise UselessError(f"{url}: cannot be fetched: it has more than {most} bytes")
            report(done, total)
    if total is not None and done != total:
        raise _BrokenOffError(f"broke off after {done} of {total} bytes")
    if done == 0:
        raise UselessError(f"{url}: cannot be fetched: the server sends an empty file")


def _check_answer(response: http.client.HTTPResponse, url: str) -> None:
    """Make sure that what comes is the bytes of a file."""
    if response.status not in (200, 206):
        raise SerError(f"{url}: cannot be fetched: the server says {response.status}")
    coding = response.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise SerError(
            f"{url}: cannot be fetched: the server sends it encoded ({coding}), which was not "
            "asked for"
        )
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise SerError(_page(url))


def _misfit(response: http.client.HTTPResponse, have: int, note: _Note) -> str | None:
    """Why a part of a file does not go behind the bytes that are here; None where it does."""
    content = response.headers.get("Content-Range", "")
    found = _RANGE.fullmatch(content)
    if not have or not found or int(found[1]) != have:
        return f"asked for bytes from {have} on and got {content or 'others'}"
    total = _total(response.headers)
    if total is None or total <= have or note.total not in (None, total):
        return f"the file is {found[3]} bytes long, and was {note.total}"
    etag = response.headers.get("ETag", "")
    if etag.startswith('"') and note.validator.startswith('"') and etag != note.validator:
        return "the file was replaced meanwhile"
    return None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SerError(f"{path}: cannot be written ({error.strerror})") from error


def _page(url: str) -> str:
    return (
        f"{url}: cannot be fetched: the server sends a web page in place of the file, as those "
        "do that ask for a login"
    )


def _remember(path: Path, url: str, headers: http.client.HTTPMessage, total: int | None) -> None:
    """Keep what a later attempt needs to know that the bytes are still the same."""
    etag = headers.get("ETag", "")
    # A weak tag promises the same meaning, not the same bytes.
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    note = msgspec.json.encode(_Note(url, validator, total))
    with _writing(path):
        own_size(_note_path(path))  # removes what is no file of ours
        atomic_text(_note_path(path), note.decode())


def _read_note(path: Path) -> _Note:
    """What is known of the bytes at `path`; nothing where that cannot be read."""
    note = _note_path(path)
    with suppress(OSError, ValueError):
        return read_json(note, _Note, below=note.parent, most=_MOST_NOTE)
    return _Note()


def _note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.note")


def _total(headers: Message | None) -> int | None:
    """The size of the whole file in a Content-Range such as `bytes 5-9/10` or `bytes */10`."""
    content = "" if headers is None else headers.get("Content-Range", "")
    return _number(content.rpartition("/")[2])


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
