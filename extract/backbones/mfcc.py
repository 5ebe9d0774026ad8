"""`mfcc`: 24 mel-frequency cepstral coefficients, as librosa's defaults give them."""

from __future__ import annotations

from functools import cache

import numpy as np

from .backbone import Array
from .logmel import LogMel

_BANDS = 128


class Mfcc(LogMel):
    """T x 24 MFCCs: 128 mel bands, decibels with 80 dB of range, orthonormal DCT-II.

    Equal to `librosa.feature.mfcc(y=samples, sr=16000, n_mfcc=24)` transposed; `hop_length` and
    `n_fft` are in samples of 16 kHz audio.
    """

    name = "mfcc"
    summary = "24 MFCCs (librosa)"
    dim = 24
    defaults = {"hop_length": 512, "n_fft": 2048}  # noqa: RUF012 - ClassVar in Backbone
    constants = {"n_mels": _BANDS, "n_mfcc": 24}  # noqa: RUF012

    def prepare(self, samples: Array) -> Array:
        """Return the coefficients, shape (1 + samples // hop_length, 24)."""
        cepstra: Array = self.spectrogram(samples, _BANDS) @ _cosines(self.dim)
        return cepstra


@cache
def _cosines(count: int) -> Array:
    """The orthonormal DCT-II as a matrix, (bands, count)."""
    angles = np.pi / _BANDS * np.outer(np.arange(_BANDS) + 0.5, np.arange(count))
    basis: Array = (np.cos(angles) * np.sqrt(2 / _BANDS)).astype(np.float32)
    basis[:, 0] /= np.float32(np.sqrt(2))
    return basis
