"""A file of results that grows in the order of its inputs, and that a killed command goes on with.

Beside it lies a small hidden file that says what the results are of, and after every input how far
they are: how many inputs are done, and how many bytes of the file that is, with the hash of both.
What was written behind that is cut off and computed again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec

from ..errors import InputError
from ..files import atomic_write, make_folder, open_regular, parse_json, read_regular
from ..train.runs.locks import held

_MOST_BYTES = 1 << 20
"""Of the hidden file."""

_PIECE = 1 << 20


_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the results are; `bad` counts the inputs that could not be used."""

    done: _Count = 0
    bad: _Count = 0
    size: _Count = 0
    inputs: str = hashlib.sha256().hexdigest()
    content: str = hashlib.sha256().hexdigest()

    def line(self) -> bytes:
        """As long as any other, so that it is written in place."""
        return msgspec.json.encode(self).ljust(299) + b"\n"


class ResultsFile:
    """Results that are on the disk as soon as they are given; see `results_file`.

    Attributes:
        done: inputs that were done before.
        bad: those of them that could not be used.
    """

    def __init__(self, out: BinaryIO, record: BinaryIO, place: int, now: _Progress) -> None:
        self.done, self.bad = now.done, now.bad
        self._out, self._record, self._place = out, record, place
        self._now = now
        self._size = now.size
        self._inputs, self._content = hashlib.sha256(), hashlib.sha256()

    def write(self, text: str) -> None:
        """Write something of the next input, which counts when it is finished."""
        data = text.encode("utf-8", "backslashreplace")
        self._out.write(data)
        self._out.flush()
        self._content.update(data)
        self._size += len(data)

    def finish(self, name: str, bad: bool = False) -> None:
        """Record that the next input is done, or cannot be used."""
        self._hear(name)
        self._note(self._now.done + 1, self._now.bad + bad)

    def _take_up(self, path: Path, names: Iterator[str], header: str) -> None:
        """Check what is there, cut off what is not whole, and begin where nothing is."""
        missing = self.done
        for name in islice(names, self.done):
            self._hear(name)
            missing -= 1
        if missing:
            raise _refused(path, "it is of more files than these")
        if self._inputs.hexdigest() != self._now.inputs:
            raise _refused(path, "it is of other files, or of these in another order")
        left = self._now.size
        while piece := self._out.read(min(_PIECE, left)):
            self._content.update(piece)
            left -= len(piece)
        if left or self._content.hexdigest() != self._now.content:
            raise _refused(path, "it was changed since")
        self._out.truncate(self._now.size)
        if not self._now.size and header:
            self.write(header)
            self._note(self.done, self.bad)

    def _hear(self, name: str) -> None:
        self._inputs.update(name.encode("utf-8", "surrogatepass") + b"\0")

    def _note(self, done: int, bad: int) -> None:
        hashes = self._inputs.hexdigest(), self._content.hexdigest()
        self._now = _Progress(done, bad, self._size, *hashes)
        self._record.seek(self._place)
        self._record.write(self._now.line())
        self._record.flush()


@contextmanager
def results_file(
    path: Path, about: Mapping[str, Any], names: Iterator[str], header: str = ""
) -> Iterator[ResultsFile]:
    """Take up a file of results, or begin one.

    Args:
        about: what the results depend on, beside the inputs, as JSON has it, by names for people.
        names: of all inputs, in their order; those that are done are taken off.
        header: the first line.

    Raises:
        InputError: there is a file that is something else, or of other results or inputs, or
            another process is writing it.
    """
    beside = path.with_name(f".{path.name}.ser")
    make_folder(path.parent)
    with ExitStack() as stack:
        if not stack.enter_context(held(path.with_name(f".{path.name}.ser-lock"))):
            raise InputError(f"{path}: another command is writing it")
        described = msgspec.json.encode(about) + b"\n"
        now = _known(path, beside, about)
        if now is None:
            now = _Progress()
            first = described + now.line()
            atomic_write(beside, lambda partial: partial.write_bytes(first))
            path.touch()
        out, record = (stack.enter_context(file.open("rb+")) for file in (path, beside))
        results = ResultsFile(out, record, len(described), now)
        results._take_up(path, names, header)
        yield results


def _known(path: Path, beside: Path, about: Mapping[str, Any]) -> _Progress | None:
    """How far a file of these results is; None where it may begin."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give another --out") from None
    try:
        lines = read_regular(beside, _MOST_BYTES).splitlines(keepends=True)
        said = parse_json(lines[0], dict[str, Any], beside.name)
        progress = parse_json(lines[1], _Progress, beside.name)
    except (OSError, ValueError, IndexError):
        if not size:
            return None
        raise _refused(path, "it is not known what it is") from None
    if differ := [n for n in {**said, **about} if said.get(n) != about.get(n)]:
        if not size:
            return None
        raise _refused(path, f"it was made with another {' and another '.join(differ)}")
    return progress


def _refused(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: {reason}; give another --out, or delete it")
