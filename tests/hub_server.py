"""A hub of one dataset repository on 127.0.0.1, and its storage for large files, another server.

It speaks the part of the API that huggingface_hub uses: the tree in pages, files by redirect,
uploads by the LFS protocol, whole or in parts, and commits that may name their parent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from .weights_server import Handler, Server, blob, running, sha

REPO = "org/team"
READER, WRITER = "hf_reader", "hf_writer"
"""Tokens of somebody who may read, and of somebody who may write too."""
_API = f"/api/datasets/{REPO}"


class Storage(Server):
    """What holds large files, by their SHA-256; whoever has an address may use it.

    Attributes:
        objects: bytes, by hash.
        arrived: hashes of what was sent, in that order.
        logins: Authorization headers that should not have come here.
        parts: what has arrived of files in parts, by hash and number.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.objects: dict[str, bytes] = {}
        self.arrived: list[str] = []
        self.logins: list[str] = []
        self.parts: dict[tuple[str, str], bytes] = {}


class Hub(Server):
    """What there is, and how it behaves.

    Attributes:
        storage: of large files; `storage_url` is where they are said to be.
        branches: the newest commit of each.
        trees: files by name, by commit.
        summaries: of all commits.
        private, gated: whether one must be known to see it; to have its files.
        lfs: how names end that are large files.
        part_size: of what is sent in parts, in bytes; None has all sent whole.
        page: entries of a page of the tree.
        before_commit: called in turn as a commit arrives.
        refuse: statuses that commits are answered with in turn.
    """

    def __init__(self, url: str, storage: Storage) -> None:
        super().__init__(url)
        self.storage, self.storage_url = storage, storage.url
        self.branches = {"main": f"{0:040x}"}
        self.trees: dict[str, dict[str, bytes]] = {f"{0:040x}": {".gitattributes": b"*.h5 lfs\n"}}
        self.summaries: list[str] = []
        self.private = self.gated = False
        self.lfs: tuple[str, ...] = (".h5",)
        self.part_size: int | None = None
        self.page = 1000
        self.before_commit: list[Callable[[], object]] = []
        self.refuse: list[int] = []

    def tree(self, branch: str = "main") -> dict[str, bytes]:
        """The files of a branch."""
        return self.trees[self.branches[branch]]

    def find(self, revision: str) -> dict[str, bytes] | None:
        """The files of a branch or a commit, if there is one."""
        return self.trees.get(self.branches.get(revision, revision))

    def commit(self, branch: str, files: dict[str, bytes], summary: str) -> str:
        """Add a commit that has these files besides; its id."""
        new = f"{len(self.trees):040x}"
        self.trees[new] = {**self.tree(branch), **files}
        self.branches[branch] = new
        self.summaries.append(summary)
        return new


class _StorageHandler(Handler):
    @property
    def storage(self) -> Storage:
        return cast(Storage, self.served)

    def _answer(self, body: bool) -> None:
        self.served.requests.append((self.command, self.path, self.headers.get("Range")))
        if login := self.headers.get("Authorization"):
            self.storage.logins.append(login)
        self._file(self.storage.objects.get(self._hash()), body)

    def do_PUT(self) -> None:  # noqa: N802 - as http.server calls it
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if len(data) != int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        if number := parse_qs(urlsplit(self.path).query).get("part"):
            self.storage.parts[self._hash(), number[0]] = data
            self._send(200, b"", {"ETag": f'"{sha(data)}"'})
        else:
            self._take(data)

    def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        parts = [(str(part["partNumber"]), part["etag"]) for part in said["parts"]]
        found = [self.storage.parts[said["oid"], number] for number, _ in parts]
        assert [tag for _, tag in parts] == [f'"{sha(data)}"' for data in found]
        self._take(b"".join(found))

    def _hash(self) -> str:
        return urlsplit(self.path).path[1:]

    def _take(self, data: bytes) -> None:
        if sha(data) != self._hash():
            return self._send(400, b"other bytes", {})
        self.storage.objects[self._hash()] = data
        self.storage.arrived.append(self._hash())
        return self._send(200, b"", {})


class _HubHandler(Handler):
    @property
    def hub(self) -> Hub:
        return cast(Hub, self.served)

    def _answer(self, body: bool) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if self.hub.fail:
            return self._send(self.hub.fail.pop(0), b"", {}, body)
        if not self._known(path):
            return None
        if path.startswith(f"/datasets/{REPO}/resolve/"):
            revision, _, name = path.partition("/resolve/")[2].partition("/")
            return self._resolve(unquote(revision), unquote(name), body)
        verb, revision, *rest = map(unquote, path.removeprefix(f"{_API}/").split("/"))
        if (files := self.hub.find(revision)) is None:
            return self._no(404, "RevisionNotFound", "Invalid rev id")
        if verb == "revision":
            return self._json({"id": REPO, "sha": self.hub.branches.get(revision, revision)})
        return self._list("/".join(rest), files)

    def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
        path = urlsplit(self.path).path
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.requests.append((self.command, path, None))
        if not self._known(path):
            return None
        if self._token() != WRITER:
            return self._no(403, "", "Forbidden: pass a token with write access")
        if path.endswith("/objects/batch"):
            objects = [self._batch(**one) for one in json.loads(data)["objects"]]
            return self._json({"transfer": "basic", "objects": objects})
        if path == "/verify":
            there = json.loads(data)["oid"] in self.hub.storage.objects
            return self._json({}) if there else self._no(404, "", "not there")
        verb, revision = map(unquote, path.removeprefix(f"{_API}/").split("/"))
        if (files := self.hub.find(revision)) is None:
            return self._no(404, "RevisionNotFound", "Invalid rev id")
        if verb == "preupload":
            said = json.loads(data)
            ignore = said.get("gitIgnore", files.get(".gitignore", b"").decode()).splitlines()
            return self._json({"files": [self._mode(one, files, ignore) for one in said["files"]]})
        return self._commit(revision, [json.loads(line) for line in data.splitlines()])

    def _known(self, path: str) -> bool:
        """Whether the repository is there for whoever asks; else it is answered."""
        if self._token() not in (None, READER, WRITER):
            self._no(401, "", "Invalid credentials in Authorization header")
        elif path != "/verify" and REPO not in path:
            self._no(404 if self._token() else 401, "RepoNotFound", "Repository not found")
        elif self.hub.private and self._token() is None:
            self._no(401, "RepoNotFound", "Repository not found")
        elif self.hub.gated and "/resolve/" in path:
            self._no(403, "GatedRepo", "Access to this dataset is restricted")
        else:
            return True
        return False

    def _resolve(self, revision: str, name: str, body: bool) -> None:
        files = self.hub.find(revision)
        content = None if files is None else files.get(name)
        if content is None or not name.endswith(self.hub.lfs):
            return self._file(content, body)
        address = f"{self.hub.storage_url}/{sha(content)}?signature=secret"
        return self._send(302, b"", {"Location": address, "X-Linked-ETag": sha(content)}, body)

    def _list(self, folder: str, files: dict[str, bytes]) -> None:
        inside = sorted(
            name for name in files if f"/{name}".startswith(f"/{folder}".rstrip("/") + "/")
        )
        if not inside:
            return self._no(404, "EntryNotFound", f"{folder} does not exist")
        folders = {name.rpartition("/")[0] for name in inside} - {folder}
        entries = [{"type": "directory", "path": name, "oid": 40 * "0"} for name in sorted(folders)]
        entries += [self._entry(name, files[name]) for name in inside]
        start = int(parse_qs(urlsplit(self.path).query).get("cursor", ["0"])[0])
        stop = start + self.hub.page
        more = f"{self.hub.url}{urlsplit(self.path).path}?recursive=true&cursor={stop}"
        links = {"Link": f'<{more}>; rel="next"'} if stop < len(entries) else {}
        return self._send(200, json.dumps(entries[start:stop]).encode(), links)

    def _entry(self, name: str, content: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": name, "size": len(content), "oid": blob(content)}
        if name.endswith(self.hub.lfs):
            entry["lfs"] = {"oid": sha(content), "size": len(content), "pointerSize": 130}
        return entry

    def _mode(
        self, file: dict[str, Any], files: dict[str, bytes], ignore: list[str]
    ) -> dict[str, Any]:
        name, large = file["path"], file["path"].endswith(self.hub.lfs)
        ignored = any(fnmatch(name.rpartition("/")[2], pattern) for pattern in ignore)
        found = {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": ignored}
        if name in files:
            found["oid"] = sha(files[name]) if large else blob(files[name])
        return found

    def _batch(self, oid: str, size: int) -> dict[str, Any]:
        """What is to be done about a large file: nothing, where it is there."""
        answer: dict[str, Any] = {"oid": oid, "size": size}
        if oid in self.hub.storage.objects:
            return answer
        upload: dict[str, Any] = {"href": f"{self.hub.storage_url}/{oid}?signature=secret"}
        if step := self.hub.part_size:
            count = -(-size // step)
            upload["header"] = {"chunk_size": str(step)} | {
                str(number): f"{upload['href']}&part={number}" for number in range(1, count + 1)
            }
        return answer | {
            "actions": {"upload": upload, "verify": {"href": f"{self.hub.url}/verify"}}
        }

    def _commit(self, branch: str, lines: list[dict[str, Any]]) -> None:
        hub = self.hub
        if hub.before_commit:
            hub.before_commit.pop(0)()
        if hub.refuse:
            return self._no(hub.refuse.pop(0), "", "not now")
        header, *changes = lines
        if header["value"].get("parentCommit", hub.branches[branch]) != hub.branches[branch]:
            return self._no(412, "", "A commit has happened since. Please refresh and try again.")
        new = {}
        for change in changes:
            value = change["value"]
            if change["key"] == "lfsFile":
                new[value["path"]] = hub.storage.objects[value["oid"]]
            else:
                assert change["key"] == "file"
                new[value["path"]] = base64.b64decode(value["content"])
        commit = hub.commit(branch, new, header["value"]["summary"])
        url = f"{hub.url}/datasets/{REPO}/commit/{commit}"
        return self._json({"commitUrl": url, "commitOid": commit})

    def _token(self) -> str | None:
        login = self.headers.get("Authorization")
        return login.removeprefix("Bearer ") if login else None

    def _json(self, answer: object) -> None:
        self._send(200, json.dumps(answer).encode(), {})

    def _no(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Code": code} if code else {}
        self._send(status, b"", {**headers, "X-Error-Message": message})


@pytest.fixture(name="hub")
def hub_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that is meant, where `WRITER` is logged in, and nobody waits long to try again."""
    pytest.importorskip("huggingface_hub", reason="the extra remotes is not installed")
    at_once = SimpleNamespace(sleep=lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.utils._http.time", at_once)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr("ser.cache.remotes.hub.PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    with hub_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield server


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub until the end of the context."""
    with (
        running(_StorageHandler, Storage) as storage,
        running(_HubHandler, lambda url: Hub(url, storage)) as hub,
    ):
        yield hub
