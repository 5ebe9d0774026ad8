"""Commands that are killed in the middle: in processes of their own, at any moment.

A server that has imported everything forks a process for each run, so that hundreds are cheap.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from .drawn import SEED
from .forked import fork_server

CALLS = frozenset(
    {"open", "close", "write", "writelines", "flush", "fsync", "mkdir", "rmdir"}
    | {"rename", "replace", "unlink", "remove", "truncate", "link", "symlink", "utime"}
)
"""Names of what Python calls to change a folder: the n-th of them is a moment to kill at."""

NEVER = -1
SECONDS = 120
"""After which a run hangs, on a busy machine."""


@dataclass(frozen=True)
class Command:
    """Something to kill.

    Attributes:
        lay_out: makes a case's folder, all that the command needs in it.
        run: does it, given the case's folder, from the beginning or where it was ended before; in
            a process of its own, so it must be a function of a module.
        published: gives what counts as finished in the case's folder, files that no run may damage
            or lose once they were seen; called again and again while the command runs.
        check: given the case's folder after each kill; asserts that nothing half-done is seen.
        finish: given the case's folder after the last run, which was not killed.
    """

    lay_out: Callable[[Path], object]
    run: Callable[[Path], object]
    published: Callable[[Path], set[Path]]
    check: Callable[[Path], object]
    finish: Callable[[Path], object]


def crash(command: Command, folder: Path, count: int) -> None:
    """Kill a command that often, each time in a new folder below `folder`, and let it end.

    Half of the kills are after a time, the others at one of `CALLS`; some cases are killed twice.
    """
    seconds, calls = _measure(command, folder)
    for number in range(count):
        seed = f"{SEED}/{command.run.__name__}/{number}"
        draw, moments = random.Random(seed), []
        case = folder / str(number)
        command.lay_out(case)
        try:
            for _ in range(draw.choice([1, 1, 2])):
                if draw.random() < 0.5:
                    at, call = draw.uniform(0, seconds), None
                    moments.append(f"after {1000 * at:.1f} ms")
                else:
                    at, call = SECONDS, draw.randrange(2 * calls)
                    moments.append(f"{'after' if call % 2 else 'before'} call {call // 2}")
                with _Run(command, case, call) as run:
                    seen = run.watch(at)
                assert seen <= command.published(case), "what was published is not there any more"
                command.check(case)
            with _Run(command, case) as run:
                run.result()
            assert seen <= command.published(case)
            command.finish(case)
        except BaseException as error:
            error.add_note(f"case {seed}, killed {', '.join(moments)}")
            raise
        shutil.rmtree(case)


def _measure(command: Command, folder: Path) -> tuple[float, int]:
    """How long a command takes that is left alone, in seconds and in `CALLS`."""
    for name, call in (("timed", None), ("counted", NEVER)):
        command.lay_out(folder / name)
        with _Run(command, folder / name, call) as run:
            seconds, calls = run.result()
        command.finish(folder / name)
        if call is None:
            alone = seconds
    assert calls > 10, "nothing is written"
    return alone, calls


class _Run:
    """A process that runs a command.

    Args:
        call: where it is to kill itself: even numbers are before, odd ones after half that number
            of `CALLS`.
    """

    def __init__(self, command: Command, folder: Path, call: int | None = None) -> None:
        server = fork_server()
        self._command, self._folder = command, folder
        self._ours, theirs = server.Pipe(duplex=False)
        self._process = server.Process(target=_serve, args=(command.run, folder, call, theirs))
        self._process.start()
        theirs.close()
        if not self._ours.poll(SECONDS):
            raise TimeoutError("the process does not begin")
        self._ours.recv()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def result(self) -> tuple[float, int]:
        """Wait until it has ended by itself: the seconds and calls that it took."""
        if not self._ours.poll(SECONDS):
            raise TimeoutError("the process does not end")
        seconds, calls = self._ours.recv()
        self._process.join()
        assert self._process.exitcode == 0
        return seconds, calls

    def watch(self, seconds: float) -> set[Path]:
        """Look at what is published until that time is over or the process has ended; kill it."""
        end, seen = time.monotonic() + seconds, set()
        while self._process.is_alive():
            seen |= self._command.published(self._folder)
            left = max(0.0, end - time.monotonic())
            time.sleep(min(left, 0.002))
            if left <= 0.002:
                break
        self._process.kill()
        self._process.join()
        assert self._process.exitcode in (0, -signal.SIGKILL), self._process.exitcode
        return seen


def _serve(
    run: Callable[[Path], object], folder: Path, call: int | None, parent: Connection
) -> None:
    """What the process does."""
    halves = 0

    def count(_frame: FrameType, event: str, function: object) -> None:
        nonlocal halves
        if event in ("c_call", "c_return", "c_exception"):
            if getattr(function, "__name__", "") not in CALLS:
                return
            if halves == call:
                os.kill(os.getpid(), signal.SIGKILL)
            halves += 1

    parent.send("begins")
    begin = time.monotonic()
    if call is not None:
        sys.setprofile(count)
    try:
        run(folder)
    finally:
        sys.setprofile(None)
    parent.send((time.monotonic() - begin, halves // 2))
