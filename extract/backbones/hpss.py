"""`hpss`: mel spectrograms of the harmonic and the percussive part of the sound."""

from __future__ import annotations

import numpy as np

from ..audio import RATE
from ..packages import need
from .backbone import Array
from .logmel import LogMel
from .spectrum import decibels, mel_filters, power_spectra

BANDS = 128


class Hpss(LogMel):
    """T x 256: 128 log-mel bands of the harmonic part, then 128 of the percussive part.

    `librosa.decompose.hpss` separates the magnitudes (Fitzgerald 2010; medians over 31 frames and
    31 bins, soft masks with power 2); each part is decibels with 80 dB of range, equal to librosa's
    `power_to_db` of its mel power. With `margin` above 1, sound that is neither is left out.

    For the feature maps of Rudd et al. (2022), 128 bands x 128 frames x 2. They write of 2.9 s, as
    128 frames have with librosa's hop of 512 at 22.05 kHz: by default they have 2.98 s here.
    """

    name = "hpss"
    summary = "128 log-mel bands each of harmonic and percussive sound (librosa)"
    dim = 2 * BANDS
    defaults = {"hop_length": 372, "margin": 1.0, "n_fft": 2048}  # noqa: RUF012
    constants = {"kernel_size": 31, "n_mels": BANDS, "power": 2.0, "top_db": 80.0}  # noqa: RUF012

    def configure(self) -> None:
        super().configure()
        self.margin = self.within("margin", 1.0, 100.0)

    def prepare(self, samples: Array) -> Array:
        """Return the bands of both parts, shape (1 + samples // hop_length, 256)."""
        parts = self.separate(self.magnitudes(samples))
        return np.concatenate([self.bands(part) for part in parts], axis=1)

    def magnitudes(self, samples: Array) -> Array:
        """The magnitude of every bin, shape (1 + n_fft // 2, frames)."""
        spectra = power_spectra(samples, n_fft=self.n_fft, hop_length=self.hop_length)
        magnitudes: Array = np.sqrt(np.concatenate([*spectra])).T
        return magnitudes

    def separate(self, magnitudes: Array) -> tuple[Array, Array]:
        """What is harmonic and what is percussive of some magnitudes, in the same shape."""
        harmonic, percussive = need("librosa").decompose.hpss(
            magnitudes,
            kernel_size=self.constants["kernel_size"],
            margin=self.margin,
            power=self.constants["power"],
        )
        return harmonic, percussive

    def bands(self, magnitudes: Array) -> Array:
        """Decibels in the mel bands of some magnitudes, shape (frames, 128)."""
        filters = mel_filters(self.n_fft, BANDS, 0.0, RATE / 2, "slaney")
        return decibels((filters @ np.square(magnitudes)).T)
