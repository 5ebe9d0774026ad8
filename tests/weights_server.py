"""A web server on 127.0.0.1 that serves files as good and bad servers do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

COMMIT = "c0ffee" + 34 * "0"

S = TypeVar("S", bound="Server")


class Server:
    """What is served and how.

    Attributes:
        files: bytes by path, such as "/a.pt".
        break_after: bytes of a file after which the connection breaks, for each answer in turn
            that has more.
        fail: status codes that are answered in turn before anything else.
        ranges: whether parts can be asked for.
        etag: whether a strong ETag is sent.
        models: files by name, by id of a model on the hub.
        tags: of every model.
        raw: what is answered instead, byte for byte, by path: the first, then the next, ...; the
            last again and again.
        requests: (method, path, Range) as they came.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.break_after: list[int] = []
        self.fail: list[int] = []
        self.ranges = True
        self.etag = True
        self.models: dict[str, dict[str, bytes]] = {}
        self.tags: list[str] = []
        self.raw: dict[str, list[bytes]] = {}
        self.requests: list[tuple[str, str, str | None]] = []

    def sent(self, path: str) -> list[str | None]:
        """The ranges that were asked for."""
        return [span for method, where, span in self.requests if where == path and method == "GET"]


class Handler(BaseHTTPRequestHandler):
    """Answers as `served` has it.

    Attributes:
        served: what is served; set by `running`.
    """

    protocol_version = "HTTP/1.1"
    served: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.served.requests.append((self.command, path, self.headers.get("Range")))
        if answers := self.served.raw.get(path):
            self.close_connection = True
            with suppress(OSError):  # of a client that has gone
                self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])
        elif self.served.fail:
            self._send(self.served.fail.pop(0), b"", {}, body)
        elif path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"), body)
        elif "/resolve/" in path:
            model, _, rest = path[1:].partition("/resolve/")
            self._file(self.served.models[model].get(rest.partition("/")[2]), body)
        else:
            self._file(self.served.files.get(path), body)

    def _describe(self, rest: str, body: bool) -> None:
        parts = rest.split("/")
        model = "/".join(parts[:2])
        files = self.served.models.get(model)
        if files is None:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        if parts[2:3] == ["revision"] and parts[3] not in ("main", COMMIT):
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
        entries = [_entry(name, content) for name, content in files.items()]
        if parts[2:3] == ["tree"]:
            answer: object = [
                {"type": "file", "path": name, "oid": entry["blobId"], **_tree(entry)}
                for name, entry in zip(files, entries, strict=True)
            ]
        else:
            answer = {
                "id": model,
                "modelId": model,
                "sha": COMMIT,
                "private": False,
                "tags": self.served.tags,
                "downloads": 0,
                "likes": 0,
                "siblings": [
                    {"rfilename": name, **entry} for name, entry in zip(files, entries, strict=True)
                ],
            }
        return self._send(200, json.dumps(answer).encode(), {}, body)

    def _file(self, content: bytes | None, body: bool) -> None:
        if content is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
        tag = f'"{sha(content)}"'
        headers = {"X-Repo-Commit": COMMIT}
        if self.served.etag:
            headers["ETag"] = tag
        span = self.headers.get("Range")
        first, _, last = (span or "0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1 if last else len(content), len(content))
        fits = self.headers.get("If-Range") in (None, tag)
        if not span or not self.served.ranges or not fits:
            return self._send(200, content, headers, body)
        if start >= len(content):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"}, body)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        return self._send(206, content[start:stop], headers, body)

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if self.served.break_after and len(content) > max(1000, self.served.break_after[0]):
            content = content[: self.served.break_after.pop(0)]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """Serve until the end of the context."""
    with running(Handler, Server) as server:
        yield server


@contextmanager
def running(handler: type[Handler], make: Callable[[str], S]) -> Iterator[S]:
    """Have a handler answer for what is made of the server's address."""

    class Bound(handler):  # type: ignore[misc, valid-type]
        pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    web.daemon_threads = True
    Bound.served = server = make(f"http://127.0.0.1:{web.server_port}")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    """What the hub says of a file: large ones are known by sha256, others by git blob id."""
    if name.endswith((".safetensors", ".bin")):
        lfs = {"sha256": sha(content), "size": len(content), "pointerSize": 130}
        return {"size": len(content), "blobId": "0" * 40, "lfs": lfs}
    return {"size": len(content), "blobId": blob(content)}


def _tree(entry: dict[str, Any]) -> dict[str, Any]:
    """The same in the words of a listing of the tree."""
    found = {"size": entry["size"]}
    if "lfs" in entry:
        lfs = entry["lfs"]
        found["lfs"] = {"oid": lfs["sha256"], "size": lfs["size"], "pointerSize": 130}
    return found


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
