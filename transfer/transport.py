"""Connections over http(s) that cannot be led elsewhere, and that give up what only trickles."""

from __future__ import annotations

import http.client
import io
import ssl
import string
import time
import urllib.error
import urllib.request
from email.message import Message
from functools import cache, partial
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import SerError

TIMEOUT = 30.0
"""Seconds without a byte after which a connection is given up."""
WINDOW = 60.0
LEAST = 50_000
"""Seconds in which so many bytes must come, headers counted; a slower one is given up."""
REDIRECTS = 5
"""Addresses that one request may be sent on to."""

BROKEN = (http.client.HTTPException, OSError, EOFError)
"""What a connection that fails raises."""


def open_url(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Ask for a file.

    Raises:
        SerError: the server leads to where this must not go.
        urllib.error.URLError, or one of `BROKEN`: as `urllib.request.urlopen`.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Paced(_Pace()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(headers),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers=headers)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT)
    return response


def next_address(url: str, location: str | None) -> str:
    """Where a redirect leads.

    Raises:
        SerError: nowhere, to something else than http(s), or from https to http.
    """
    if not location:
        raise SerError(f"{url}: cannot be fetched: it leads on to nowhere")
    try:
        address = urljoin(url, quote(location, safe=string.punctuation, encoding="iso-8859-1"))
        before, after = urlsplit(url), urlsplit(address)
    except ValueError:
        raise SerError(f"{url}: cannot be fetched: it leads on to {location[:200]!r}") from None
    schemes = {"https"} if before.scheme == "https" else {"http", "https"}
    if after.scheme not in schemes or not after.hostname or after.username is not None:
        raise SerError(
            f"{url}: cannot be fetched: it leads on to {address[:200]}, and only "
            f"{' and '.join(sorted(schemes))} addresses are followed from there"
        )
    return address


class _Redirects(urllib.request.BaseHandler):
    """Follows a few redirects, and says nothing to the next host that it was not to know."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = dict(headers)
        self._followed = 0

    def _follow(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message
    ) -> Any:
        fp.close()  # what is in the answer is not read: it may never end
        self._followed += 1
        if self._followed > REDIRECTS:
            raise SerError(f"{req.full_url}: cannot be fetched: more than {REDIRECTS} redirects")
        address = next_address(req.full_url, headers.get("Location"))
        # Of the headers, our own alone: a proxy's password is among those of the request.
        same = urlsplit(address).netloc == urlsplit(req.full_url).netloc
        if not same:  # a login is for the host that it was given for
            self._headers.pop("Authorization", None)
        request = urllib.request.Request(address, headers=self._headers, unverifiable=True)
        return self.parent.open(request, timeout=TIMEOUT)

    http_error_301 = http_error_302 = http_error_303 = http_error_307 = http_error_308 = _follow


class _Pace:
    """Counts what arrives, and complains where that is too little."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._bytes = 0

    def add(self, count: int) -> None:
        """Count bytes; a ConnectionError where fewer than `LEAST` came in `WINDOW` seconds."""
        self._bytes += count
        now = time.monotonic()
        if now - self._since < WINDOW:
            return
        if self._bytes < LEAST:
            raise ConnectionError(f"too slow: {self._bytes} bytes in {WINDOW:.0f} s")
        self._since, self._bytes = now, 0


class _PacedFile(io.RawIOBase):
    """What comes from a socket, counted."""

    def __init__(self, raw: Any, pace: _Pace) -> None:
        self._raw = raw
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        if count:  # the end is no stall
            self._pace.add(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedResponse(http.client.HTTPResponse):
    """An answer whose every byte is counted, headers included."""

    def __init__(self, *args: Any, pace: _Pace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_PacedFile(buffered.detach(), pace))


@cache
def _certificates() -> ssl.SSLContext:
    """Whom this machine trusts; reading them takes longer than many a request."""
    return ssl.create_default_context()


class _Paced(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens http and https addresses, and counts what arrives."""

    def __init__(self, pace: _Pace) -> None:
        super().__init__(context=_certificates())
        self._response = partial(_PacedResponse, pace=pace)

    def do_open(self, http_class: Any, req: urllib.request.Request, **settings: Any) -> Any:
        def connect(host: str, **kwargs: Any) -> Any:
            connection = http_class(host, **kwargs)
            connection.response_class = self._response
            return connection

        return super().do_open(connect, req, **settings)
