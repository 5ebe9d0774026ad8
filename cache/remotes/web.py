"""A cache that a web server gives out as files, with pages that list its folders."""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ... import __version__
from ...errors import SerError
from ...transfer.download import download
from ...transfer.transport import BROKEN, open_url
from .. import layout
from .place import SMALL, Moved, Place, without_credentials

AT_ONCE = 8
"""Pages that are asked for at the same time."""
MOST_SHARD = 1 << 40
"""Bytes of a shard of which the server has not said how long it is."""
_TOTAL = re.compile(r"bytes \d+-\d+/(\d{1,18})")


class WebPlace(Place):
    """The cache below an http(s) address. It can only be read.

    A user and password in the address are sent as basic authentication, and never shown.
    """

    writable: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        super().__init__(without_credentials(url).rstrip("/"))
        parts = urlsplit(url)
        self._query = parts.query  # of a signed address
        user, _, host = parts.netloc.rpartition("@")
        self._base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._headers = {"User-Agent": f"ser/{__version__}", "Accept-Encoding": "identity"}
        if user:
            from base64 import b64encode

            login = b64encode(unquote(user).encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {login}"

    def names(self) -> Mapping[str, int | None]:
        if self._page("") is None:
            raise SerError(f"{self.shown}: there is nothing")
        folders = [
            f"features/{name}"
            for name in self._page("features") or []
            if layout.FOLDER_NAME.fullmatch(name)
        ]
        places = [*folders, "manifests"]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            pages = list(pool.map(self._page, places))
        return {
            f"{place}/{name}": None
            for place, page in zip(places, pages, strict=True)
            for name in page or []
        }

    def size(self, name: str) -> int | None:
        headers = {**self._headers, "Range": "bytes=0-0"}
        answer = self._ask(name, headers, 1)
        return None if answer is None else answer[1]

    def read(self, name: str) -> bytes | None:
        answer = self._ask(name, self._headers, SMALL)
        if answer is None:
            return None
        data, size = answer
        if len(data) > SMALL or (size is not None and size > SMALL):
            raise SerError(f"{self.shown}: {name} has more than {SMALL} bytes")
        if size is not None and len(data) != size:
            raise SerError(f"{self.shown}: {name} ended after {len(data)} of {size} bytes")
        return data

    def receive(self, name: str, size: int | None, file: Path, moved: Moved) -> None:
        have = file.stat().st_size if file.exists() else 0

        def told(done: int, total: int | None) -> None:
            nonlocal have
            moved(done - have)
            have = done

        most, address = MOST_SHARD if size is None else size, self._address(name)
        try:
            download(address, file, told, most, self._headers)
        except SerError as error:
            raise SerError(str(error).replace(address, f"{self.shown}/{name}")) from None

    def part(self, name: str, start: int, stop: int) -> bytes:
        headers = {**self._headers, "Range": f"bytes={start}-{stop - 1}"}
        answer = self._ask(name, headers, stop - start)
        if answer is None:
            raise SerError(f"{self.shown}: {name} is gone")
        data, size = answer
        whole = size is not None and len(data) > stop - start
        if whole and start:
            raise SerError(f"{self.shown}: the server gives no parts of files")
        return data[: stop - start]

    def _page(self, folder: str) -> list[str] | None:
        """The names that the page of a folder links to; None where there is no such folder."""
        answer = self._ask(f"{folder}/" if folder else "", self._headers, SMALL)
        if answer is None:
            return None
        links = _Links()
        links.feed(answer[0].decode("utf-8", "replace"))
        return sorted(links.names)

    def _ask(
        self, name: str, headers: dict[str, str], most: int
    ) -> tuple[bytes, int | None] | None:
        """The first bytes of a file and how many it has, as far as said; None where it is not."""
        address = self._address(name)
        try:
            with open_url(address, headers) as response:
                content = response.headers.get("Content-Range", "")
                length = response.headers.get("Content-Length", "")
                total = _TOTAL.fullmatch(content)
                number = total[1] if total else length if response.status == 200 else ""
                size = int(number) if re.fullmatch(r"\d{1,18}", number) else None
                return response.read(most + 1), size
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return None
            said = f"the server says {error.code} {error.reason}"
            if error.code in (401, 403):
                said += "; a login goes into the address, https://USER:PASSWORD@..."
            raise SerError(f"{self.shown}: {name or 'it'} cannot be read: {said}") from None
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise SerError(f"{self.shown}: no connection: {reason}") from None
        except BROKEN as error:
            reason = str(error) or type(error).__name__
            raise SerError(f"{self.shown}: {name or 'it'} cannot be read: {reason}") from None
        except ValueError as error:  # an address that no host can have
            raise SerError(f"{self.shown}: {error}") from None

    def _address(self, name: str) -> str:
        query = f"?{self._query}" if self._query else ""
        return f"{self._base}/{quote(name)}{query}"


class _Links(HTMLParser):
    """The plain names that a page links to: what lies in a folder, as servers list it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href") if tag == "a" else None
        if target:
            name = unquote(urlsplit(target).path).removeprefix("./").rstrip("/")
            if name and "/" not in name and not name.startswith("."):
                self.names.add(name)
