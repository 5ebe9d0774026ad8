"""Claims: small files that say which process computes what, where several write into one cache.

A claim lies where the shards will lie, under the name of an unfinished file: no reader looks at it,
and it is removed with those that killed writers left. Only one process can make it. While the
process lives, it sets the claim's time anew every few seconds. A claim whose time has stayed the
same for two minutes, or whose process on this machine has ended, may be taken over.

Times are only compared with themselves, for a change: it does not matter what the clocks of the
machines and of the drive say, nor whether they jump. Should two processes hold the same claim after
all, as after one was suspended, both compute the same, and nothing else happens.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from ..files import PARTIAL, make_folder, new_file, read_json

BEAT_SECONDS = 5.0
"""How often a claim is set anew. Each takes a network drive a millisecond or so."""
SILENT_SECONDS = 120.0
"""Network drives may show the times of files a minute late."""
_MOST_BYTES = 4096
_ENDED: set[str] = set()
"""Tokens of runs of this process that have ended, but perhaps could not remove their claims."""


@dataclass(frozen=True)
class Holder:
    """Who has made a claim, for people and for processes of the same machine.

    Attributes:
        machine: what process numbers are unique in: this boot of this machine, or a container on
            it; "" where there is no telling.
        born: when the process was started, in units of the system.
        since: local time, for people.
        token: of one run of the extraction.
    """

    host: str
    pid: int
    machine: str
    born: str
    since: str
    token: str

    def is_gone(self) -> bool:
        """Whether the run has certainly ended; only told of processes of this machine."""
        if self.token in _ENDED:
            return True
        if not self.machine or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):  # of another user, or no process number
            pass
        state, born = _state(self.pid)
        return state in ("Z", "X") or born not in ("", self.born)


class Claims:
    """The claims of one run of the extraction; a context manager that gives up all of them.

    Attributes:
        problem: why no claims can be made here, if so: then whatever is asked for may be computed.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._holder = Holder(
            host=platform.node(),
            pid=os.getpid(),
            machine=_machine(),
            born=_state(os.getpid())[1],
            since=time.strftime("%Y-%m-%d %H:%M:%S%z"),
            token=uuid.uuid4().hex,
        )
        self._text = (json.dumps(asdict(self._holder), indent=2) + "\n").encode()
        self._own: set[Path] = set()
        self._seen: dict[Path, tuple[int, float]] = {}
        """Of claims of others: their time, and since when, by this process's own clock."""
        self._end = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="ser-claims", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._heart.is_alive():
            self._heart.join()
        for claim in tuple(self._own):
            self.release(claim)
        _ENDED.add(self._holder.token)

    def take(self, claim: Path) -> bool:
        """Make a claim, or take one over that nobody holds any more; False where another has it.

        Args:
            claim: see `claim_file`.
        """
        try:
            for left in (2, 1, 0):  # it may go, or its folder, or another may be faster
                try:
                    make_folder(claim.parent)
                    new_file(claim, self._text)
                except FileNotFoundError:
                    if not left:
                        raise
                except FileExistsError:
                    if self.holder(claim) is not None:
                        return False
                    self._remove(claim)
                else:
                    self._own.add(claim)
                    self._seen.pop(claim, None)
                    if not self._heart.ident:
                        self._heart.start()
                    return True
        except OSError as error:
            # Who really cannot write here is told so when there is something to write.
            self.problem = f"{claim.parent}: {error.strerror or error}"
            return True
        return False

    def holder(self, claim: Path) -> str | None:
        """The host of the other process that holds a claim, None where nobody does by now."""
        try:
            return self._holder_of(claim)
        except FileNotFoundError:
            return None

    def _holder_of(self, claim: Path) -> str | None:
        """As `holder`, of a claim that is there.

        Raises:
            FileNotFoundError: it is not.
        """
        # Read first: a network drive that opens a file asks for the time that it has now.
        holder = _read(claim)
        try:
            changed = claim.stat().st_mtime_ns
        except FileNotFoundError:
            raise
        except OSError:
            changed = 0
        if holder and holder.is_gone():
            return None
        if self._seen.get(claim, (None, 0.0))[0] != changed:
            self._seen[claim] = changed, time.monotonic()
        if time.monotonic() - self._seen[claim][1] > SILENT_SECONDS:
            return None
        return holder.host if holder else "another process"

    def _remove(self, claim: Path) -> None:
        """Remove a claim that nobody holds.

        One process at a time does so, and looks again before: else it might remove that of another
        that was faster.

        Raises:
            OSError: it cannot be removed.
        """
        turn = claim.with_suffix(".takeover")
        try:
            new_file(turn, self._text)
        except FileExistsError:
            with suppress(FileNotFoundError):
                if self._holder_of(turn) is None:
                    turn.unlink()
            return
        try:
            with suppress(FileNotFoundError):
                if self._holder_of(claim) is None:
                    claim.unlink()
        finally:
            turn.unlink(missing_ok=True)

    def release(self, claim: Path) -> None:
        """Give up a claim, unless another process has taken it over."""
        self._own.discard(claim)
        holder = _read(claim)
        if holder and holder.token == self._holder.token:
            with suppress(OSError):  # then it falls silent
                claim.unlink()

    def _beat(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            for claim in tuple(self._own):
                with suppress(OSError):
                    os.utime(claim)


def claim_file(folder: Path, name: str, digest: str) -> Path:
    """Where a claim lies.

    Args:
        folder: in which the shards will be that the claim is about.
        name: for people; a part of a file name.
        digest: 32 hexadecimal digits that tell the claims of a folder apart.
    """
    return folder / f"{PARTIAL}{digest}-{name}.claim"


def _read(claim: Path) -> Holder | None:
    """Who made a claim; None where there is no telling, as while it is made."""
    try:
        return read_json(claim, Holder, most=_MOST_BYTES)
    except (OSError, ValueError):
        return None


def _machine() -> str:
    """See `Holder.machine`. Told by Linux alone; elsewhere a dead process is known by its silence.

    A host's name is not enough: containers and laptops often share one.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _state(pid: int) -> tuple[str, str]:
    """State and start of a process as Linux tells them, two empty texts where it does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
