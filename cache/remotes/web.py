"""A cache that a web server gives out as files, with pages that list its folders."""

from __future__ import annotations

import urllib.error
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ...errors import SerError
from .. import layout
from .http import HttpPlace
from .place import SMALL, without_credentials

AT_ONCE = 8
"""Pages that are asked for at the same time."""


class WebPlace(HttpPlace):
    """The cache below an http(s) address. It can only be read.

    A user and password in the address are sent as basic authentication, and never shown.
    """

    writable: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        super().__init__(without_credentials(url).rstrip("/"))
        parts = urlsplit(url)
        self._query = f"?{parts.query}" if parts.query else ""  # of a signed address
        self._user, _, host = parts.netloc.rpartition("@")
        self._base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))

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

    def _page(self, folder: str) -> list[str] | None:
        """The names that the page of a folder links to; None where there is no such folder."""
        name = f"{folder}/" if folder else ""
        answer = self._ask(name, self._address(name), SMALL)
        if answer is None:
            return None
        links = _Links()
        links.feed(answer[0].decode("utf-8", "replace"))
        return sorted(links.names)

    def _address(self, name: str) -> str:
        path = quote(name, errors="surrogateescape")  # bytes that are no text, as they are
        return f"{self._base}/{path}{self._query}"

    def _login(self) -> str | None:
        if not self._user:
            return None
        return f"Basic {b64encode(unquote(self._user).encode()).decode('ascii')}"

    def _advice(self, refusal: urllib.error.HTTPError) -> str:
        return "a login goes into the address, https://USER:PASSWORD@..."


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
