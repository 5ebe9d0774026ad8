"""`pitch`: fundamental frequency and voicing over time, by librosa's pYIN."""

from __future__ import annotations

import numpy as np

from ...errors import AudioError
from ..audio import RATE
from ..packages import need
from .backbone import Array, Backbone

_LOWEST = 27.5
"""Hz; what eGeMAPS counts semitones from."""


class Pitch(Backbone):
    """T x 3: semitones above 27.5 Hz (unvoiced: 0), voiced or not, the probability of voicing.

    Equal to `librosa.pyin(samples, fmin=fmin, fmax=fmax, sr=16000, frame_length=1024,
    hop_length=hop_length)` (Mauch and Dixon 2014); `fmin` and `fmax` are in Hz.
    """

    name = "pitch"
    summary = "fundamental frequency and voicing (librosa's pYIN)"
    licence = "ISC (librosa)"
    kind = "sequence"
    dim = 3
    defaults = {"fmax": 600.0, "fmin": 60.0, "hop_length": 512}  # noqa: RUF012
    constants = {"frame_length": 1024}  # noqa: RUF012

    def configure(self) -> None:
        self.fmin = self.within("fmin", 40.0, 400.0)
        self.fmax = self.within("fmax", 2 * self.fmin, 4000.0)
        self.hop_length = self.within("hop_length", 1, 1024)
        self.frame_rate = RATE / self.hop_length

    def prepare(self, samples: Array) -> Array:
        """Return the contour, shape (1 + samples // hop_length, 3).

        Raises:
            AudioError: a value is not finite.
        """
        hertz, voiced, probability = need("librosa").pyin(
            samples,
            fmin=self.fmin,
            fmax=self.fmax,
            sr=RATE,
            frame_length=self.constants["frame_length"],
            hop_length=self.hop_length,
        )
        semitones = 12 * np.log2(np.where(voiced, hertz, _LOWEST) / _LOWEST)
        rows: Array = np.stack([semitones, voiced, probability], axis=1).astype(np.float32)
        if not np.isfinite(rows).all():
            raise AudioError("too odd for pYIN: not all of the pitch is finite")
        return rows
