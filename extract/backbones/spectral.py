"""`spectral`: chroma, contrast, tonal centroids and the shape of the spectrum, by librosa."""

from __future__ import annotations

import warnings

import numpy as np

from ...errors import AudioError
from ..audio import RATE
from ..packages import need
from .backbone import Array, Backbone


class Spectral(Backbone):
    """T x 31: librosa's spectral features, the set of Issa et al. (2020) and what goes with it.

    Each equal to the function of `librosa.feature` at the same `n_fft` and `hop_length`, in samples
    of 16 kHz audio. The chroma's semitones are those of A = 440 Hz for all utterances (tuning=0),
    and the tonal centroids are those of that chroma.
    """

    name = "spectral"
    summary = (
        "chroma, contrast, tonnetz, centroid, bandwidth, roll-off, flatness, ZCR, RMS (librosa)"
    )
    licence = "ISC (librosa)"
    kind = "sequence"
    dim = 12 + 7 + 6 + 6
    defaults = {"hop_length": 512, "n_fft": 2048}  # noqa: RUF012 - declared as ClassVar in Backbone
    constants = {  # noqa: RUF012
        "rows": "chroma_stft 12, spectral_contrast 7, tonnetz 6, spectral_centroid, "
        "spectral_bandwidth, spectral_rolloff, spectral_flatness, zero_crossing_rate, rms",
        "tuning": 0.0,
    }

    def configure(self) -> None:
        self.n_fft = self.within("n_fft", 256, 16384)
        self.hop_length = self.within("hop_length", 1, self.n_fft, f"n_fft ({self.n_fft})")
        self.frame_rate = RATE / self.hop_length

    def prepare(self, samples: Array) -> Array:
        """Return the features, shape (1 + samples // hop_length, 31), Hz where librosa has Hz.

        Raises:
            AudioError: a value is not finite.
        """
        librosa = need("librosa")
        feature = librosa.feature
        frames = {"frame_length": self.n_fft, "hop_length": self.hop_length}
        with warnings.catch_warnings():
            # Shorter than a window: zeros on both sides, as at the ends of every utterance.
            warnings.filterwarnings("ignore", message="n_fft=.* is too large", category=UserWarning)
            transform = librosa.stft(samples, n_fft=self.n_fft, hop_length=self.hop_length)
        magnitude = np.abs(transform)
        spectrum = {"S": magnitude, "sr": RATE, "n_fft": self.n_fft}
        chroma = feature.chroma_stft(S=magnitude**2, sr=RATE, n_fft=self.n_fft, tuning=0.0)
        rows: Array = np.concatenate(
            [
                chroma,
                feature.spectral_contrast(**spectrum),
                feature.tonnetz(chroma=chroma, sr=RATE),
                feature.spectral_centroid(**spectrum),
                feature.spectral_bandwidth(**spectrum),
                feature.spectral_rolloff(**spectrum),
                feature.spectral_flatness(S=magnitude),
                feature.zero_crossing_rate(samples, **frames),
                feature.rms(y=samples, **frames),
            ]
        ).T.astype(np.float32, order="C")
        if not np.isfinite(rows).all():
            raise AudioError("too odd for librosa: not all spectral features are finite")
        return rows
