"""A power cut, by a model of it: what a disk may hold after each system call of a program.

The calls are recorded with strace. What was forced to the disk before the cut is there; of all else
any part may be, in whatever order: bytes of a file, its length without its bytes, its name.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Tree = dict[str, bytes | None]
"""A folder's content by relative path; None for a folder in it."""

RECORDED = (
    "open,openat,creat,close,write,pwrite64,writev,pwritev,lseek,truncate,ftruncate,fallocate,fsync,"
    "fdatasync,rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "copy_file_range,sendfile"
)
_CALL = re.compile(r"(\w+)\((.*)\) += (\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_NEVER = sys.maxsize


@dataclass(frozen=True)
class Call:
    """A system call that succeeded: its name, file, texts, all of its arguments, its result."""

    name: str
    file: int | None
    texts: tuple[bytes, ...]
    arguments: str
    result: int


def recorded(program: str, folder: Path, trace: Path) -> list[Call]:
    """Run a Python program, given a folder, and record what its main thread does to files.

    Raises:
        OSError: there is no strace here, or it may not look at other processes.
    """
    if not shutil.which("strace"):
        raise OSError("strace is not installed")
    options = ["-y", "-xx", "-s", str(1 << 20), "-e", f"trace={RECORDED}", "-o", str(trace)]
    command = ["strace", *options, sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "ptrace" in done.stderr:
        raise OSError(done.stderr.splitlines()[0])
    assert done.returncode == 0, done.stderr
    calls = []
    for line in trace.read_text().splitlines():
        if match := _CALL.match(line):
            name, arguments, result = match.groups()
            file = re.match(r"\d+", arguments)
            texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
            calls.append(
                Call(name, int(file[0]) if file else None, tuple(texts), arguments, int(result))
            )
    return calls


@dataclass
class Change:
    """One thing that a call does to one file or folder.

    Attributes:
        place: number of the file or folder.
        offset, data: what is written into a file.
        removed, name, entry: of a folder, the name that goes and the one that comes, with what it
            then means.
        issued, forced: numbers of the calls that made it, and that forced it to the disk.
    """

    place: int
    issued: int
    offset: int = 0
    data: bytes = b""
    removed: str | None = None
    name: str | None = None
    entry: int = 0
    forced: int = _NEVER


@dataclass
class Disk:
    """A folder, empty at first, as calls change it; 0 is the folder itself.

    Attributes:
        versions: of each file that was renamed into its place: by what, and the content; None for
            its removal.
    """

    folder: Path
    changes: list[Change] = field(default_factory=list)
    versions: dict[str, list[tuple[Change, bytes | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._step = 0
        self._folders: dict[int, dict[str, int]] = {0: {}}
        self._files: dict[int, bytearray] = {}
        self._open: dict[int, tuple[int, int]] = {}  # by descriptor: what it is, and where

    def replay(self, calls: Sequence[Call]) -> None:
        """Take in the calls of a program."""
        for call in calls:
            self._take(call)

    def now(self) -> Tree:
        """What every program sees at the end."""
        return _tree(self._folders, self._files)

    def after(self, step: int, done: Sequence[int | None]) -> Tree:
        """The disk after a cut.

        Args:
            step: how many calls were made.
            done: for each change that was not forced by then: how much of it came, in 64ths, or
                None for a file that has its length and not its bytes.
        """
        folders: dict[int, dict[str, int]] = {0: {}}
        files: dict[int, bytearray] = {}
        unsure = iter(done)
        for change in self.changes:
            if change.issued >= step:
                break
            part = 64 if change.forced < step else next(unsure)
            if change.name is None and change.removed is None:
                _write(files.setdefault(change.place, bytearray()), change, part)
            elif part:
                _rename(folders.setdefault(change.place, {}), change)
        for number in self._folders:
            folders.setdefault(number, {})
        return _tree(folders, files)

    def unsure(self, step: int) -> list[Change]:
        """The changes that may be lost in a cut after so many calls."""
        return [change for change in self.changes if change.issued < step <= change.forced]

    def published(self, step: int) -> set[str]:
        """The files whose rename was forced to the disk by then, whatever came after it."""
        return {
            path
            for path, versions in self.versions.items()
            for change, content in versions
            if content is not None and change.forced < step
        }

    def possible(self, path: str, step: int) -> list[bytes | None]:
        """What a file that was renamed into its place may hold by then; None for not being there.

        The last that was forced to the disk, or what came after it.
        """
        contents: list[bytes | None] = [None]
        for change, content in self.versions[path]:
            if change.forced < step:
                contents = [content]
            elif change.issued < step:
                contents.append(content)
        return contents

    def _take(self, call: Call) -> None:
        number, self._step = self._step, self._step + 1
        names = [self._inside(text) for text in call.texts]
        if call.name in ("open", "openat", "creat"):
            self._opened(call, names[-1], number)
        elif call.name == "close":
            self._open.pop(call.file or 0, None)
        elif call.name == "lseek" and call.file in self._open:
            self._open[call.file] = (self._open[call.file][0], call.result)
        elif call.name == "write" and call.file in self._open:
            place, at = self._open[call.file]
            data = call.texts[0][: call.result]
            assert len(data) == call.result
            self._do(Change(place, number, at, data))
            self._open[call.file] = (place, at + len(data))
        elif call.name in ("fsync", "fdatasync") and call.file in self._open:
            for change in self.changes:
                if change.place == self._open[call.file][0]:
                    change.forced = min(change.forced, number)
        elif call.name in ("mkdir", "mkdirat") and names[-1]:
            new = self._new()
            self._folders[new] = {}
            self._link(names[-1], new, number)
        elif call.name in ("unlink", "unlinkat", "rmdir") and names[-1]:
            above, name = self._above(names[-1])
            self._do(change := Change(above, number, removed=name))
            if names[-1] in self.versions:
                self.versions[names[-1]].append((change, None))
        elif call.name.startswith("rename") and names[0] and names[1]:
            (above, old), (target, new_name) = self._above(names[0]), self._above(names[1])
            assert above == target, "a rename from one folder to another"
            entry = self._folders[above][old]
            self._do(change := Change(above, number, removed=old, name=new_name, entry=entry))
            for path, content in ((names[0], None), (names[1], bytes(self._files[entry]))):
                if path in self.versions or content is not None:
                    self.versions.setdefault(path, []).append((change, content))
        else:
            harmless = call.name in ("lseek", "write", "fsync", "fdatasync")
            assert harmless or not any(names), f"{call.name} of {names}"

    def _opened(self, call: Call, name: str | None, number: int) -> None:
        self._open.pop(call.result, None)
        if name is None:
            return
        place = self._find(name)
        if place is None:
            place = self._new()
            self._files[place] = bytearray()
            self._link(name, place, number)
        assert "O_TRUNC" not in call.arguments or not self._files[place], f"{name} is truncated"
        assert "O_APPEND" not in call.arguments
        self._open[call.result] = (place, 0)

    def _link(self, name: str, entry: int, number: int) -> None:
        above, last = self._above(name)
        self._do(Change(above, number, name=last, entry=entry))

    def _do(self, change: Change) -> None:
        self.changes.append(change)
        if change.name is None and change.removed is None:
            _write(self._files[change.place], change, 64)
        else:
            _rename(self._folders[change.place], change)

    def _new(self) -> int:
        return len(self._folders) + len(self._files)

    def _inside(self, text: bytes) -> str | None:
        """A path below the folder, "" for itself; None for what lies elsewhere or is no path."""
        path = os.fsdecode(text)
        if path == str(self.folder):
            return ""
        start = f"{self.folder}/"
        return path.removeprefix(start) if path.startswith(start) else None

    def _find(self, name: str) -> int | None:
        place: int | None = 0
        for part in Path(name).parts:
            place = None if place is None else self._folders.get(place, {}).get(part)
        return place

    def _above(self, name: str) -> tuple[int, str]:
        path = Path(name)
        above = self._find(str(path.parent))
        assert above is not None, f"{name} has no folder"
        return above, path.name


def _write(file: bytearray, change: Change, part: int | None) -> None:
    if part == 0:
        return
    data = bytes(len(change.data)) if part is None else change.data[: len(change.data) * part // 64]
    file.extend(bytes(max(0, change.offset - len(file))))
    file[change.offset : change.offset + len(data)] = data


def _rename(folder: dict[str, int], change: Change) -> None:
    if change.removed is not None:
        folder.pop(change.removed, None)
    if change.name is not None:
        folder[change.name] = change.entry


def _tree(folders: dict[int, dict[str, int]], files: dict[int, bytearray]) -> Tree:
    tree: Tree = {}

    def walk(number: int, prefix: str) -> None:
        for name, entry in folders[number].items():
            if entry in folders:
                tree[prefix + name] = None
                walk(entry, f"{prefix}{name}/")
            else:
                tree[prefix + name] = bytes(files.get(entry, b""))

    walk(0, "")
    return tree


def cuts(disk: Disk, draw: random.Random) -> Iterator[tuple[int, Tree]]:
    """What may be on the disk after each call: its number and the content, all different.

    Of the changes that were not forced, the first few are there, or all but the first few, or any;
    a write that is not there is no bytes, a part of them, or as many zeros.
    """
    moments = {0} | {change.issued + 1 for change in disk.changes}
    moments |= {change.forced + 1 for change in disk.changes if change.forced < _NEVER}
    for step in sorted(moments):
        seen = set()
        count = len(disk.unsure(step))
        plans: list[list[int | None]] = []
        for kept in range(count + 1):
            for lost in (0, 32, None):
                there: list[int | None] = [64] * kept
                gone: list[int | None] = [lost] * (count - kept)
                plans += [there + gone, gone + there]
        plans += [[draw.choice([0, 1, 63, 64, 64, None]) for _ in range(count)] for _ in range(8)]
        for plan in plans:
            tree = disk.after(step, plan)
            content = frozenset(tree.items())
            if content not in seen:
                seen.add(content)
                yield step, tree


def lay_down(tree: Tree, folder: Path) -> None:
    """Make a folder of a content."""
    folder.mkdir(parents=True)
    for name, data in sorted(tree.items()):
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)
