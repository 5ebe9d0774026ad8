"""One file over http(s): resumed where it broke off, and never taken for whole when it is not."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .. import __version__
from ..errors import InputError, SerError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and, where it is known, the bytes there are."""

TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""
TRIES = 4
"""Connections in a row that bring nothing new before it fails."""
PAUSE = 1.0
"""Seconds before the second connection; doubled for each further one."""

_CHUNK = 1 << 20
_WORTH_RETRYING = {408, 425, 429, 500, 502, 503, 504}
_BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, socket.timeout)


class _BrokenOffError(Exception):
    """A connection that ended too early; the message says how."""


def download(url: str, path: Path, progress: Progress | None = None) -> None:
    """Fetch `url` to `path`, going on from what an earlier attempt left there.

    What is there is trusted only while the server says (by ETag or date, kept in a file beside
    it) that it still serves the same bytes; otherwise it begins anew.

    Raises:
        InputError: not an http(s) address.
        SerError: no network, no such file, or it keeps breaking off; what has arrived stays.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: not an http or https address")
    path.parent.mkdir(parents=True, exist_ok=True)
    report = progress or (lambda done, total: None)
    failures = 0
    while True:
        before = _size(path)
        try:
            _connect(url, path, report)
        except _BrokenOffError as error:
            failures = 0 if _size(path) > before else failures + 1
            if failures >= TRIES:
                raise SerError(
                    f"{url}: cannot be fetched ({error}). {_size(path)} bytes have arrived and "
                    "are kept: run again to go on"
                ) from None
            time.sleep(PAUSE * 2 ** max(0, failures - 1))
        else:
            _note(path).unlink(missing_ok=True)
            return


def discard(path: Path) -> None:
    """Remove an unfinished download."""
    path.unlink(missing_ok=True)
    _note(path).unlink(missing_ok=True)


def _connect(url: str, path: Path, report: Progress) -> None:
    """One connection, which brings all that is missing or breaks off."""
    have, validator = _size(path), _validator(path, url)
    if not validator:
        have = 0
    request = urllib.request.Request(url, headers=_headers(have, validator))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            _receive(response, url, path, have, report)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing beyond what is here, or not the same file
            if _total(error.headers.get("Content-Range")) == have:
                return
            discard(path)
            raise _BrokenOffError("what had arrived does not fit the file") from None
        if error.code in _WORTH_RETRYING:
            raise _BrokenOffError(f"the server says {error.code} {error.reason}") from None
        raise SerError(_refused(url, error)) from None
    except urllib.error.URLError as error:
        raise _BrokenOffError(f"no connection: {_reason(error)}") from None
    except _BROKEN as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from None


def _headers(have: int, validator: str | None) -> dict[str, str]:
    headers = {"User-Agent": f"ser/{__version__}", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    return headers


def _receive(
    response: http.client.HTTPResponse, url: str, path: Path, have: int, report: Progress
) -> None:
    """Write what comes, behind the `have` bytes that are there or, if it is all of it, anew."""
    if response.status == 206:
        content = response.headers.get("Content-Range", "")
        if not content.startswith(f"bytes {have}-"):
            discard(path)
            raise _BrokenOffError(f"asked for bytes from {have} on and got {content or 'others'}")
        total = _total(content)
    else:
        have = 0
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        _remember(path, url, response.headers)
    done = have
    with path.open("r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        report(done, total)
        while True:
            try:
                chunk = response.read(_CHUNK)
            except _BROKEN as error:
                raise _BrokenOffError(str(error) or type(error).__name__) from None
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            report(done, total)
    if total is not None and done != total:
        raise _BrokenOffError(f"broke off after {done} of {total} bytes")


def _remember(path: Path, url: str, headers: http.client.HTTPMessage) -> None:
    """Keep what a later attempt needs to know that the bytes are still the same."""
    etag = headers.get("ETag", "")
    # A weak tag promises the same meaning, not the same bytes.
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    _note(path).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _validator(path: Path, url: str) -> str | None:
    """What the bytes at `path` are known by, or None where they cannot be gone on from."""
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        return note["validator"] or None if note["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.note")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _total(content_range: str | None) -> int | None:
    """The size of the whole file in a Content-Range such as `bytes 5-9/10` or `bytes */10`."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


def _reason(error: urllib.error.URLError) -> str:
    reason = error.reason
    return str(getattr(reason, "strerror", None) or reason)


def _refused(url: str, error: urllib.error.HTTPError) -> str:
    what = {
        401: "it asks for a login",
        403: "access is refused",
        404: "there is no such file",
        410: "it is gone",
    }.get(error.code, f"the server says {error.code} {error.reason}")
    return f"{url}: cannot be fetched: {what} ({error.code})"
