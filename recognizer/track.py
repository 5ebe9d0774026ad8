"""How the emotions of a recording go, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AudioError, InputError

if TYPE_CHECKING:
    from ..extract.memory import Sound
    from ..extract.windows import Cut
    from .recognizer import Answer, Recognizer

WINDOW, HOP = 3.0, 1.0
"""Seconds: as long as the utterances of EmoDB, EMOVO and RAVDESS, and a new answer every second."""

SPEECH = 0.3
"""The least share of a window that is speech, for it to have an emotion."""

SHORTEST, LONGEST = 0.5, 60.0
"""Seconds of a window: less gives some backbones too little to go by, and no utterance that a model
was trained on is longer."""

CLOSEST = 0.05
"""Seconds between the starts of windows."""


AT_ONCE = 16
"""Windows that go through the backbones together."""


@dataclass(frozen=True)
class Window:
    """A stretch of a recording.

    Attributes:
        start, end: seconds from the beginning of the recording.
        speech: the share of it in which somebody speaks, 0 to 1.
        answer: what the heads say of it; None where there is too little speech.
        reason: why there is no answer.
    """

    start: float
    end: float
    speech: float
    answer: Answer | None
    reason: str = ""


def track(
    recognizer: Recognizer,
    sound: Sound,
    window: float = WINDOW,
    hop: float = HOP,
    speech: float = SPEECH,
) -> Iterator[Window]:
    """The emotions of a recording of any length, in memory that does not depend on it.

    Windows of `window` seconds begin every `hop` seconds from 0 on. The last is shorter, if at
    least a second, or all of the recording, is left. Each is a sound of its own to the recognizer:
    what is said of it is what would be said of a file with its samples. It does not depend on how
    the recording is read.

    Args:
        sound: a file, or samples with their rate, (array, Hz), of full scale 1 and the shape
            (frames,) or (frames, channels).
        window: 0.5 to 60 seconds.
        hop: at least 0.05 seconds; more than `window` leaves gaps.
        speech: the least share of a window in which somebody must speak for it to have an answer.

    Raises:
        InputError: at once: there are no such windows.
        AudioError: (the iterator) the recording cannot be used from here on; the message is the
            reason. The windows before it were fine.
        MissingPackageError: (the iterator) a package is not on this machine.
    """
    check_windows(window, hop, speech)
    return _windows(recognizer, sound, window, hop, speech)


def check_windows(window: float, hop: float, speech: float) -> None:
    """Raise InputError for windows that cannot be, as `track` takes them."""
    if not SHORTEST <= window <= LONGEST:
        raise InputError(f"--window {window:g}: expected {SHORTEST:g} to {LONGEST:g} seconds")
    if not CLOSEST <= hop < math.inf:
        raise InputError(f"--hop {hop:g}: expected {CLOSEST:g} seconds or more")
    if not 0 <= speech <= 1:
        raise InputError(f"--speech {speech:g}: expected a share of the window, 0 to 1")


def _windows(
    recognizer: Recognizer, sound: Sound, window: float, hop: float, speech: float
) -> Iterator[Window]:
    from ..extract.audio import RATE
    from ..extract.recording import stream
    from ..extract.windows import windows

    cuts = windows(stream(sound), round(window * RATE), round(hop * RATE))
    for some in _batches(cuts):
        reasons = {cut: reason for cut in some if (reason := _unusable(cut, speech))}
        spoken = [cut for cut in some if cut not in reasons]
        answers = dict(zip(spoken, _answers(recognizer, spoken), strict=True))
        for cut in some:
            answer, reason = answers.get(cut) or (None, reasons[cut])
            start, end = cut.start / RATE, (cut.start + len(cut.samples)) / RATE
            yield Window(start, end, cut.speech, answer, reason)


def _batches(cuts: Iterator[Cut]) -> Iterator[list[Cut]]:
    """Windows that are worked on together; those before an error come before it."""
    broken, waiting = None, []
    try:
        for cut in cuts:
            waiting.append(cut)
            if len(waiting) == AT_ONCE:
                yield waiting
                waiting = []
    except AudioError as error:
        broken = error
    if waiting:
        yield waiting
    if broken:
        raise broken


def _unusable(cut: Cut, speech: float) -> str:
    """Why a window cannot have an answer; empty where it can."""
    from ..extract.audio import RATE
    from ..manifests.audio import usable

    if cut.speech < speech:
        return f"{cut.speech:.2f} of it is speech"
    try:
        usable(cut.samples[:, None], RATE)  # as a file would be: it may be silent all the same
    except AudioError as error:
        return str(error)
    return ""


def _answers(recognizer: Recognizer, cuts: Sequence[Cut]) -> list[tuple[Answer | None, str]]:
    """What is said of windows, or why nothing is."""
    from ..extract.memory import features_of_each

    samples = [cut.samples for cut in cuts]
    keys = recognizer.run.config.keys
    return [
        (None, str(found)) if isinstance(found, AudioError) else (recognizer.answer(found), "")
        for found in features_of_each(recognizer.backbones, keys, samples)
    ]
