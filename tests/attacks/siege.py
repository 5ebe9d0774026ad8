"""Thousands of hostile samples, read in a process that may take little time and little memory.

The process is watched: what it opens, removes, makes or starts outside the sample is a failure, as
are any other error than ours, a crash, and a hang.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from ser.cache.access import ShortError
from ser.errors import SerError

from ..drawn import SEED
from ..forked import fork_server

SECONDS = 1
"""Of processor time, that a sample may take."""
PATIENCE = 60
"""Seconds after which a sample hangs, on a busy machine."""
MEMORY = 300 << 20
"""That a sample may take beside what is taken by a good one."""
MOST_FAILURES = 5


class Target(Protocol):
    """Something that strangers may have made. It is sent to another process."""

    def make(self, folder: Path) -> None:
        """Make a good sample in an empty folder."""

    def lay_outside(self, folder: Path) -> None:
        """Make somebody else's files in an empty folder, which nobody is to read."""

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        """Make a sample hostile; `outside` is the folder of somebody else, to lead to."""

    def read(self, case: random.Random, folder: Path) -> str | None:
        """Read a sample in all ways: a SerError, or the right data; says how it ended, if it is
        worth counting."""


class TooMuchError(BaseException):
    """A sample takes too much; not an `Exception`, so that nothing takes it for its own failure."""


def besiege(target: Target, count: int, folder: Path) -> Counter[str]:
    """Read `count` hostile samples; how they ended, counted.

    Raises:
        AssertionError: some did not end well; it names their seeds.
    """
    server = fork_server()
    ours, theirs = server.Pipe(duplex=False)
    process = server.Process(target=_read_all, args=(target, count, SEED, folder, theirs))
    process.start()
    theirs.close()
    case, failures, counts = "the good sample", [], Counter[str]()
    try:
        while ours.poll(PATIENCE):
            kind, said = ours.recv()
            if kind == "case":
                case = said
            elif kind == "failure":
                failures.append(f"{case}: {said}")
            elif kind == "counts":
                counts = said
                break
        else:
            failures.append(f"{case}: hangs")
    except EOFError:
        process.join()
        failures.append(f"{case}: the process ends with {process.exitcode}")
    process.kill()
    process.join()
    assert not failures, "\n\n".join(failures)
    return counts


def _read_all(target: Target, count: int, seed: str, folder: Path, parent: Connection) -> None:
    """What the process does."""
    template, outside, own = folder / "template", folder / "outside", folder / "temporary"
    for each in (template, outside, own):
        each.mkdir(parents=True)
    tempfile.tempdir = str(own)
    target.lay_outside(outside)
    target.make(template)
    sample, counts, failures = folder / "sample", Counter[str](), 0
    shutil.copytree(template, sample)
    target.read(random.Random(0), sample)  # all is imported after that
    watch = _Watch(outside, [sample, own])
    for number in range(count):
        name = f"{seed}/{type(target).__name__}/{number}"
        parent.send(("case", name))
        case = random.Random(name)
        _clear(sample)
        shutil.copytree(template, sample)
        try:
            target.attack(case, sample, outside)
            with watch, _limited():
                how = target.read(case, sample)
            counts[how or "read"] += 1
        except ShortError:
            parent.send(("failure", "takes too much memory"))
            failures += 1
        except SerError as error:
            counts["refused"] += 1
            if not for_people(str(error)):
                parent.send(("failure", f"says {str(error)!r:.500}"))
                failures += 1
        except BaseException:
            parent.send(("failure", traceback.format_exc(limit=-8)[-3000:]))
            failures += 1
        if failures == MOST_FAILURES:
            break
    parent.send(("counts", counts))


@contextmanager
def _limited() -> Iterator[None]:
    """End what takes too much time or memory, or waits for ever."""
    import resource

    import psutil

    def stop(number: int, _frame: object) -> None:
        taken = f"{SECONDS} s" if number == signal.SIGPROF else "for ever"
        raise TooMuchError(f"takes more than {taken}")

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, SECONDS),
        (signal.SIGALRM, signal.ITIMER_REAL, 30),
    )
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    for number, timer, seconds in timers:
        signal.signal(number, stop)
        signal.setitimer(timer, seconds)
    most = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, unlimited[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
        for _, timer, _ in timers:
            signal.setitimer(timer, 0)


class _Watch:
    """Fails what is done outside some folders; what lies in `outside` is not even read."""

    CHANGES = frozenset(
        {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link"}
        | {"os.symlink", "os.truncate", "os.utime", "shutil.rmtree"}
    )
    NEVER = frozenset(
        {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect"}
        | {"pickle.find_class", "ctypes.dlopen", "socket.bind", "os.kill"}
    )

    def __init__(self, outside: Path, own: list[Path]) -> None:
        self._outside = os.path.realpath(outside)
        self._own = tuple(os.path.realpath(folder) + os.sep for folder in own)
        self._watching = False
        self._seen: list[str] = []
        sys.addaudithook(self._note)

    def __enter__(self) -> None:
        _age(Path(self._outside))  # who made the sample may have read there
        self._before = _look(Path(self._outside))
        self._seen.clear()
        self._watching = True

    def __exit__(self, kind: object, *_: object) -> None:
        self._watching = False
        assert not self._seen, self._seen
        assert _look(Path(self._outside)) == self._before, "a file outside was read or changed"

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._watching:
            return
        if event in self.NEVER:
            self._seen.append(f"{event} {arguments!r:.200}")
        elif event == "open" or event in self.CHANGES:
            writes = event != "open" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))  # type: ignore[operator]
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._check(event, os.fsdecode(path), writes)

    def _check(self, event: str, path: str, writes: bool) -> None:
        # What lies at the path itself is not followed by what removes or replaces it.
        place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))  # noqa: PTH118, PTH120, PTH119
        place = os.path.realpath(path) if event == "open" else place
        inside = place.startswith(self._own) or place + os.sep in self._own
        if (writes and not inside) or place.startswith(self._outside):
            self._seen.append(f"{event} {path}")


def _age(folder: Path) -> None:
    """Have every file look never read, so that a disk notes it when one is read."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (0, path.stat().st_mtime))


def _look(folder: Path) -> dict[str, tuple[int, ...]]:
    """All that is known of the files of a folder without opening them."""
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        read = 0 if path.is_dir() else about.st_atime_ns
        found[str(path)] = (about.st_mode, about.st_size, about.st_mtime_ns, about.st_ino, read)
    return found


def _clear(folder: Path) -> None:
    """Remove a sample, whatever has become of it."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def for_people(message: str) -> bool:
    """Whether a message is one: short of what Python says of its own."""
    internals = ("Traceback", " object at 0x", "NoneType", "KeyError", "has no attribute")
    printable = message.isprintable() or all(c.isprintable() or c in "\n\t" for c in message)
    return bool(message.strip()) and printable and not any(word in message for word in internals)
