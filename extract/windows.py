"""Windows over a stream of samples, each with the share of it in which somebody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from .audio import RATE
from .backbones.backbone import Array
from .voice import STEP, VoiceActivity

SPEECH = 0.3
"""Probability from which on a step is speech."""

SHORTEST = RATE
"""Samples of the last window, where that is shorter than the others."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A stretch of a recording: its samples, where it begins, and how much of it is speech."""

    start: int
    samples: Array
    speech: float


def windows(pieces: Iterable[Array], window: int, hop: int) -> Iterator[Cut]:
    """Cut a stream of samples at 16 kHz into windows of `window` samples, each `hop` after another.

    What the last of them leaves over, with what comes before it since a next one would begin, is a
    shorter window, if it has a second. A recording that is shorter than a window is one.

    Raises:
        AudioError: the stream did; all windows that were whole by then come first.
    """
    tape, start = _Tape(), 0
    for _ in tape.record(pieces):
        tape.forget(start)  # of a hop that is longer than a window
        while start + window <= tape.known:
            yield tape.cut(start, start + window)
            start += hop
            tape.forget(start)
    covered = start - hop + window if start else 0
    if covered < tape.end and (not start or tape.end - start >= min(SHORTEST, window)):
        yield tape.cut(start, tape.end)


class _Tape:
    """The samples of a stream that are still needed, and in which steps of them there is speech."""

    def __init__(self) -> None:
        self._voice = VoiceActivity()
        self._first = 0  # step at which both begin
        self._samples: Array = np.empty(0, np.float32)
        self._speech: npt.NDArray[np.bool_] = np.empty(0, bool)
        self.end = 0
        """Samples so far."""

    @property
    def known(self) -> int:
        """Up to which sample it is known where there is speech."""
        return min((self._first + len(self._speech)) * STEP, self.end)

    def record(self, pieces: Iterable[Array]) -> Iterator[None]:
        """Take what comes, and stop after each piece and at the end, even if that is an error."""
        broken = None
        try:
            for piece in pieces:
                self._samples = np.concatenate((self._samples, piece))
                self.end += len(piece)
                self._hear(self._voice.add(piece))
                yield
        except AudioError as error:
            broken = error
        self._hear(self._voice.finish())
        yield
        if broken:
            raise broken

    def _hear(self, probabilities: Array) -> None:
        self._speech = np.concatenate((self._speech, probabilities >= SPEECH))

    def cut(self, start: int, end: int) -> Cut:
        """A stretch that is known and not forgotten."""
        offset = self._first * STEP
        steps = self._speech[start // STEP - self._first : -(-end // STEP) - self._first]
        speech = np.repeat(steps, STEP)[start % STEP :][: end - start]
        samples = self._samples[start - offset : end - offset]
        return Cut(start, samples, float(speech.mean()))

    def forget(self, start: int) -> None:
        """Let go of what lies before a sample, as far as it is there."""
        steps = min(start // STEP, self.known // STEP) - self._first
        if steps > 0:
            self._samples = self._samples[steps * STEP :]
            self._speech = self._speech[steps:]
            self._first += steps
