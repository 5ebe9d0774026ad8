"""A place whose files are read by http(s), each at an address of its own."""

from __future__ import annotations

import re
import urllib.error
from abc import abstractmethod
from pathlib import Path

from ... import __version__
from ...errors import SerError
from ...transfer.download import download
from ...transfer.transport import BROKEN, open_url
from .place import SMALL, Moved, Place

MOST_SHARD = 1 << 40
"""Bytes of a shard of which the server has not said how long it is."""
_TOTAL = re.compile(r"bytes \d+-\d+/(\d{1,18})")


class HttpPlace(Place):
    """A place that is read by http(s). A login is for its own host, and goes to no other."""

    @abstractmethod
    def _address(self, name: str) -> str:
        """Where a file is."""

    @abstractmethod
    def _login(self) -> str | None:
        """The Authorization header of a request, where there is one."""

    @abstractmethod
    def _advice(self, refusal: urllib.error.HTTPError) -> str:
        """What to do where the server refuses a file (401, 403)."""

    def size(self, name: str) -> int | None:
        answer = self._ask(name, self._address(name), 1, "bytes=0-0")
        return None if answer is None else answer[1]

    def read(self, name: str) -> bytes | None:
        return self._content(name, self._address(name))

    def _content(self, name: str, address: str) -> bytes | None:
        answer = self._ask(name, address, SMALL)
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

        def report(done: int, total: int | None) -> None:
            nonlocal have
            moved(done - have)
            have = done

        most, address = MOST_SHARD if size is None else size, self._address(name)
        try:
            download(address, file, report, most, self._headers())
        except SerError as error:
            told = str(error).replace(address, f"{self.shown}/{name}")
            raise type(error)(told) from error.__cause__

    def part(self, name: str, start: int, stop: int) -> bytes:
        span = f"bytes={start}-{stop - 1}"
        answer = self._ask(name, self._address(name), stop - start, span)
        if answer is None:
            raise SerError(f"{self.shown}: {name} is gone")
        data, size = answer
        whole = size is not None and len(data) > stop - start
        if whole and start:
            raise SerError(f"{self.shown}: the server gives no parts of files")
        return data[: stop - start]

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"ser/{__version__}", "Accept-Encoding": "identity"}
        login = self._login()
        return {**headers, "Authorization": login} if login else headers

    def _ask(
        self, name: str, address: str, most: int, span: str | None = None
    ) -> tuple[bytes, int | None] | None:
        """The first bytes of a file, or of a span of it, and how many it has, as far as said; None
        where it is not."""
        headers = self._headers() | ({"Range": span} if span else {})
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
                said += f"; {self._advice(error)}"
            raise SerError(f"{self.shown}: {name or 'it'} cannot be read: {said}") from None
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise SerError(f"{self.shown}: no connection: {reason}") from None
        except BROKEN as error:
            reason = str(error) or type(error).__name__
            raise SerError(f"{self.shown}: {name or 'it'} cannot be read: {reason}") from None
        except ValueError as error:  # an address that no host can have
            raise SerError(f"{self.shown}: {error}") from None
