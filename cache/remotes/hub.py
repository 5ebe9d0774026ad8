"""A cache in a dataset repository of the Hugging Face hub."""

from __future__ import annotations

import io
import logging
import os
import re
import threading
import time
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, unquote

from ... import __version__
from ...errors import InputError, SerError
from ..access import read_error
from .http import HttpPlace
from .place import BrokenOffError, Moved, missing_package, without_credentials

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

FILES = 100
"""Of one commit. The hub takes a limited number of commits an hour, and long over large ones."""
TRIES = 4
"""Of one commit, where another's comes first or the connection breaks."""
PAUSE = 2.0
"""Seconds before the second try; doubled for each further one."""
SILENCE = 120.0
"""Seconds without a byte after which a request to the hub is given up."""

_URL = re.compile(
    r"hf://datasets/([\w.-]+/[\w.-]+)(?:@(refs/(?:pr|convert)/[^/]+|[^/]+))?((?:/[^/]+)*)/*"
)
_CONFLICT = (409, 412)
"""What the hub says where a branch is not, or no longer, as a commit expects it to be."""


class HubPlace(HttpPlace):
    """The cache below hf://datasets/ORG/REPO[@REVISION][/PATH].

    The hub is that of `HF_ENDPOINT`; the login is what huggingface_hub finds, `HF_TOKEN` or that of
    `hf auth login`. What is sent is uploaded at once and seen after a commit, of many files; what
    was uploaded and never committed, the hub knows by its hash and does not ask for again.
    """

    def __init__(self, url: str) -> None:
        super().__init__(without_credentials(url).rstrip("/"))
        found = _URL.fullmatch(url)
        if not found:
            raise InputError(f"{self.shown}: expected hf://datasets/ORG/REPO[@REVISION][/PATH]")
        self._repo: str = found[1]
        self._revision = unquote(found[2] or "main")
        self._below = f"{unquote(found[3])}/".lstrip("/")
        self._hub = _open()
        self._page = f"{self._hub.endpoint}/datasets/{self._repo}"
        self._uploaded: dict[str, CommitOperationAdd] = {}
        self._lock = threading.Lock()

    def names(self) -> Mapping[str, int | None]:
        from huggingface_hub.errors import EntryNotFoundError

        names: dict[str, int | None] = {}
        for folder in ("features", "manifests"):
            with self._telling("cannot be listed"), suppress(EntryNotFoundError):
                for entry in self._hub.list_repo_tree(
                    self._repo,
                    f"{self._below}{folder}",
                    recursive=True,
                    revision=self._revision,
                    repo_type="dataset",
                ):
                    size = getattr(entry, "size", None)
                    if isinstance(size, int):  # what has none is a folder
                        names[entry.path.removeprefix(self._below)] = size
        return names

    def write(self, name: str, data: bytes) -> None:
        with self._telling(f"{name} cannot be written"):
            addition = self._addition(name, io.BytesIO(data))
            self._upload(addition)
        self._keep(name, addition)

    def send(self, file: Path, name: str, moved: Moved) -> None:
        try:
            reader = _Told(file)
        except OSError as error:
            raise read_error(file, error) from error
        with reader, self._telling(f"{name} cannot be written"):
            addition = self._addition(name, reader)
            reader.moved = moved
            self._upload(addition)
            reader.say(addition.upload_info.size)  # of what was there already, too
            if addition.path_or_fileobj is reader:  # the hub wants it in the commit itself
                addition.path_or_fileobj = str(file)
        self._keep(name, addition)

    def publish(self) -> None:
        with self._lock:
            self._commit_uploaded()

    def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        from huggingface_hub.errors import HfHubHTTPError

        with self._telling(f"{name} cannot be written"):
            head = self._hub.dataset_info(self._repo, revision=self._revision, expand=["sha"]).sha
            if head is None:  # without it nothing would keep two from overwriting each other
                raise SerError(f"{self.shown}: the hub does not say which commit is the newest")
            if self._content(name, self._address(name, head)) != old:
                return False
            addition = self._addition(name, io.BytesIO(new))
            self._upload(addition)
            try:
                self._commit([addition], parent=head)
            except HfHubHTTPError as error:
                if error.response.status_code in _CONFLICT:
                    return False
                raise
        return True

    def _addition(self, name: str, content: BinaryIO) -> CommitOperationAdd:
        """A file to be committed, read once for its hash.

        As a stream, which goes over http whether Xet's client is installed or not: that one would
        neither say how far it is nor stop where it is told to.
        """
        from huggingface_hub import CommitOperationAdd

        return CommitOperationAdd(f"{self._below}{name}", content)

    def _upload(self, addition: CommitOperationAdd) -> None:
        """Bring its content, unless the hub has it, or wants it in the commit, as small texts."""
        _tame()
        self._hub.preupload_lfs_files(
            self._repo,
            [addition],
            repo_type="dataset",
            revision=self._revision,
            gitignore_content="# nothing",  # by that of the repository files drop out unsaid
        )

    def _keep(self, name: str, addition: CommitOperationAdd) -> None:
        """Keep it for the next commit, which is made once there is enough for one."""
        with self._lock:
            self._uploaded[name] = addition
            if len(self._uploaded) >= FILES:
                self._commit_uploaded()

    def _commit_uploaded(self) -> None:
        if not self._uploaded:
            return
        for tries in range(TRIES):
            try:
                with self._telling("cannot be written"):
                    self._commit(list(self._uploaded.values()))
                break
            except BrokenOffError:
                if tries == TRIES - 1:
                    raise
                time.sleep(PAUSE * 2**tries)
        self._uploaded.clear()

    def _commit(self, additions: Sequence[CommitOperationAdd], parent: str | None = None) -> None:
        """Make files seen, all or none; with a parent, only where that is still the newest."""
        _tame()
        self._hub.create_commit(
            self._repo,
            additions,
            commit_message=f"Files of a ser cache: {len(additions)}",
            repo_type="dataset",
            revision=self._revision,
            parent_commit=parent,
        )

    def _address(self, name: str, revision: str | None = None) -> str:
        where = f"{quote(revision or self._revision, safe='')}/{quote(self._below + name)}"
        return f"{self._page}/resolve/{where}"

    def _login(self) -> str | None:
        token = _token()
        return f"Bearer {token}" if token else None

    def _advice(self, refusal: urllib.error.HTTPError) -> str:
        gated = refusal.headers.get("X-Error-Code") == "GatedRepo"
        return self._terms() if gated else self._rights()

    def _failure(self, what: str, error: Exception) -> SerError:
        from huggingface_hub.errors import HfHubHTTPError

        causes = list(_causes(error))
        answer = next((each for each in causes if isinstance(each, HfHubHTTPError)), None)
        return super()._failure(what, causes[-1]) if answer is None else self._refused(what, answer)

    def _refused(self, what: str, answer: HfHubHTTPError) -> SerError:
        """One error of what the hub answers in place of what was asked."""
        from huggingface_hub.errors import (
            GatedRepoError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        status = answer.response.status_code
        message = " ".join((answer.server_message or "").split())
        said = f"the hub says {status} {message:.200}".rstrip()
        if isinstance(answer, GatedRepoError):
            return SerError(f"{self.shown}: {what}: {self._terms()}")
        if isinstance(answer, RevisionNotFoundError):
            return SerError(f"{self.shown}: has no branch, tag or commit {self._revision}")
        if isinstance(answer, RepositoryNotFoundError) or status == 401:
            return SerError(
                f"{self.shown}: {what} ({said}): no such repository on {self._hub.endpoint}, or a "
                f"private one; {self._rights()}. To make it: hf repos create {self._repo} "
                "--repo-type dataset --private"
            )
        if status == 403:
            return SerError(f"{self.shown}: {what} ({said}); {self._rights()}")
        if status == 429:
            return SerError(
                f"{self.shown}: {what} ({said}). What was uploaded need not be again: run the same "
                "command later"
            )
        return BrokenOffError(f"{self.shown}: {what} ({said})")

    def _terms(self) -> str:
        login = "" if self._login() else f"; {self._rights()}"
        return f"its terms are to be accepted first, at {self._page}{login}"

    def _rights(self) -> str:
        """What to do where it takes somebody else, or a better token."""
        if self._login() is None:
            return "you are not logged in: run `hf auth login`, or set HF_TOKEN"
        whose = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "`hf auth login`"
        tokens = f"{self._hub.endpoint}/settings/tokens"
        return f"the token of {whose} is wrong, or may not do so: see {tokens}"


class _Told(io.BufferedReader):
    """A file, and who is told how far it has been read; nobody yet while it is hashed."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.moved: Moved | None = None
        self._furthest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self.moved is not None:
            self.say(self.tell())
        return data

    def say(self, position: int) -> None:
        """Tell what lies between this and the furthest position so far: some is read twice."""
        if self.moved is not None and position > self._furthest:
            self.moved(position - self._furthest)
            self._furthest = position


def _open() -> HfApi:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise missing_package("hf", "remotes", error) from error
    if not re.fullmatch("[!-~]*", _token() or ""):  # the library would show it, in saying so
        raise InputError("the token of HF_TOKEN or `hf auth login` has signs that no token has")
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    return HfApi(endpoint=endpoint, library_name="ser", library_version=__version__)


def _token() -> str | None:
    """What whoever runs this logs in with; renewed by the library where it expires."""
    from huggingface_hub import constants, get_token

    return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def _tame() -> None:
    """Have the library give up what is silent, and warn of nothing: that shows signed addresses."""
    from huggingface_hub import get_session

    get_session().timeout = SILENCE
    logger = logging.getLogger("huggingface_hub")
    if logger.level == logging.WARNING:
        logger.setLevel(logging.ERROR)


def _causes(error: BaseException | None) -> Iterator[Exception]:
    """An exception and those that it was made of."""
    while isinstance(error, Exception):
        yield error
        error = error.__cause__
