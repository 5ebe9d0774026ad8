"""Hostile cases: drawn anew at every run, counted, and each to end within a few seconds."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from ..drawn import SEED

SECONDS = 20
"""That a case may take, on a busy machine; most take milliseconds."""

Attack = Callable[[int], Iterator[random.Random]]

_counts: dict[str, Counter[str]] = {}


class TooSlowError(BaseException):
    """Not an `Exception`, so that no code under attack takes it for a failure of its own."""


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """Give so many cases, each a source of randomness of its own: `for case in attack(500): ...`.

    Every case is counted, and fails the test where it takes too long.
    """
    name = request.node.nodeid.rpartition("/")[2]

    def cases(count: int) -> Iterator[random.Random]:
        for number in range(count):
            seed = f"{SEED}/{name}/{number}"
            _counts.setdefault(name, Counter())["cases"] += 1
            with _Limited(seed):
                yield random.Random(seed)

    return cases


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Count how a case ended, such as "refused" or "read"; shown at the end of the run."""
    name = request.node.nodeid.rpartition("/")[2]

    def count(word: str, times: int = 1) -> None:
        _counts.setdefault(name, Counter())[word] += times

    return count


class _Limited:
    """End a case that hangs, where the system has alarms."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        if hasattr(signal, "setitimer"):
            self._before = signal.signal(signal.SIGALRM, self._stop)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            print(f"case {self._seed}")
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def _stop(self, *_: object) -> None:
        raise TooSlowError(f"case {self._seed}: still at it after {SECONDS} s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _counts:
        return
    total = sum(found["cases"] for found in _counts.values())
    terminalreporter.section(f"{total} hostile cases, SER_TEST_SEED={SEED}")
    for name, found in sorted(_counts.items()):
        ends = ", ".join(f"{n} {word}" for word, n in sorted(found.items()) if word != "cases")
        terminalreporter.line(f"{name}: {found['cases']} cases{f' ({ends})' if ends else ''}")
