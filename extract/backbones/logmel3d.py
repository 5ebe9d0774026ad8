"""`logmel3d`: a mel spectrogram of 40 bands with its deltas and delta-deltas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backbone import Array, Backbone
from .spectrum import decibels, mel_power

MEL: Mapping[str, Any] = {"hop_length": 160, "n_fft": 512, "n_mels": 40, "win_length": 400}
_AROUND = 2
"""Frames to each side that a delta sees."""


class LogMel3d(Backbone):
    """T x 120: 40 log-mel bands, their deltas, the deltas of these; 25 ms every 10 ms.

    The "3-D log-mels" of Chen et al. (2018) and Meng et al. (2019): columns 0-39, 40-79 and 80-119
    are the three channels of an image. The bands are decibels with 80 dB of range, equal to
    librosa's `power_to_db(melspectrogram(...))` with a Hann window of 400 samples. Deltas are taken
    over the whole utterance and nothing is standardised: statistics are those of a training part.
    """

    name = "logmel3d"
    summary = "40 log-mel bands, deltas, delta-deltas"
    licence = "ISC (librosa)"
    kind = "sequence"
    dim = 3 * MEL["n_mels"]
    frame_rate = 100.0
    constants = {**MEL, "delta_width": 2 * _AROUND + 1, "top_db": 80.0}  # noqa: RUF012

    def prepare(self, samples: Array) -> Array:
        """Return bands, deltas and delta-deltas, shape (1 + samples // 160, 120)."""
        bands = decibels(mel_power(samples, **MEL))
        slopes = deltas(bands)
        return np.concatenate([bands, slopes, deltas(slopes)], axis=1)


def deltas(frames: Array) -> Array:
    """The slope of the straight line through each frame and the two to either side, (T, D) as
    `frames`; the first and the last frame stand for what would be beyond them.

    Equal to `librosa.feature.delta(frames.T, width=5, mode="nearest").T`, for any T.
    """
    padded = np.pad(frames, ((_AROUND, _AROUND), (0, 0)), "edge")
    total = np.zeros_like(frames)
    for n in range(1, _AROUND + 1):
        after, before = (padded[_AROUND + shift :][: len(frames)] for shift in (n, -n))
        total += np.float32(n) * (after - before)
    slope: Array = total / np.float32(2 * sum(n * n for n in range(1, _AROUND + 1)))
    return slope
