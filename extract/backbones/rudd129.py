"""`rudd129`: the 129 numbers that the released code of Rudd et al. (2022) makes of an utterance."""

from __future__ import annotations

import numpy as np

from ..audio import RATE
from ..packages import need
from .backbone import Array, Backbone

_RATE = 22050
"""What `librosa.load` resamples to."""


class Rudd129(Backbone):
    """129: the mean of the harmonic and percussive waves, and of 128 log-mel bands over time.

    What github.com/DavidHason/ser feeds its dense network with, in place of the images and VGG16 of
    the paper: everything by librosa's defaults at 22.05 kHz, `effects.hpss` with margin 5. The
    first number is a mean over samples, not of their size: near 0 for any sound.
    """

    name = "rudd129"
    summary = "means of 128 log-mel bands and of harmonic and percussive waves (librosa)"
    licence = "ISC (librosa)"
    kind = "vector"
    dim = 1 + 128
    constants = {"margin": 5.0, "n_mels": 128, "rate": _RATE, "top_db": 80.0}  # noqa: RUF012

    def prepare(self, samples: Array) -> Array:
        """Return the numbers, shape (129,)."""
        librosa = need("librosa")
        wave = librosa.resample(samples, orig_sr=RATE, target_sr=_RATE)
        parts = librosa.effects.hpss(wave, margin=self.constants["margin"])
        bands = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=_RATE))
        numbers: Array = np.append(np.mean(parts), bands.mean(axis=1)).astype(np.float32)
        return numbers
