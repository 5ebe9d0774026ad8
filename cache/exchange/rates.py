"""How many frames a sequence has for each second of its audio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

USUAL = (
    1, 2, 4, 5, 8, 10, 12.5, 15.625, 16, 20, 25, 30, 31.25, 40, 43.06640625, 50, 60, 62.5, 75, 80,
    86.1328125, 93.75, 100, 125, 150, 160, 200, 250, 400, 500, 1000,
)  # fmt: skip
"""Frames per second of the models and front ends that people use."""

FITTING = 0.95
"""Share of the utterances that fit a rate which is the corpus's."""

_WINDOW = 0.1
"""Seconds of sound that a window may lose at the ends, or padding add."""


def frame_rate(frames: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Frames per second that nearly all utterances have; None where there is no such rate.

    Args:
        frames, seconds: of each utterance, n of each.
    """
    each, long = np.asarray(frames, float), np.asarray(seconds)
    own = float(f"{np.median(each / long):.4g}")
    # The quotient is never quite the rate: windows lose and padding adds something at the ends.
    best = min(USUAL, key=lambda rate: float(np.median(np.abs(each / rate - long))))
    for rate in (float(best), own):
        if rate and fits(frames, seconds, rate).mean() >= FITTING:
            return rate
    return None


def fits(frames: Sequence[int], seconds: Sequence[float], rate: float) -> npt.NDArray[np.bool_]:
    """Whether each utterance has about as many frames as its duration says: two, or those of a
    tenth of a second, more or less, and one in a hundred."""
    expected = rate * np.asarray(seconds)
    tolerance = max(2.0, _WINDOW * rate) + 0.01 * expected
    within: npt.NDArray[np.bool_] = np.abs(np.asarray(frames) - expected) <= tolerance
    return within
