"""`logmel`: a mel spectrogram of 64 bands in decibels, as librosa has it."""

from __future__ import annotations

from ..audio import RATE
from .backbone import Array, Backbone
from .spectrum import decibels, mel_power


class LogMel(Backbone):
    """T x 64: power in 64 mel bands, 32 ms every 10 ms, in decibels with 80 dB of range.

    Equal to `librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=512,
    hop_length=160, n_mels=64))` transposed. A window of 25 ms would leave the lowest bands with
    one or two bins each.
    """

    name = "logmel"
    summary = "64 log-mel bands (librosa)"
    licence = "ISC (librosa)"
    kind = "sequence"
    dim = 64
    defaults = {"hop_length": 160, "n_fft": 512}  # noqa: RUF012 - declared as ClassVar in Backbone
    constants = {"n_mels": 64, "top_db": 80.0}  # noqa: RUF012

    def configure(self) -> None:
        self.n_fft = self.within("n_fft", 64, 16384)
        self.hop_length = self.within("hop_length", 1, self.n_fft, f"n_fft ({self.n_fft})")
        self.frame_rate = RATE / self.hop_length

    def prepare(self, samples: Array) -> Array:
        """Return the spectrogram, shape (1 + samples // hop_length, 64)."""
        return self.spectrogram(samples, self.dim)

    def spectrogram(self, samples: Array, bands: int) -> Array:
        """Decibels in so many mel bands, shape (1 + samples // hop_length, bands)."""
        return decibels(
            mel_power(samples, n_fft=self.n_fft, hop_length=self.hop_length, n_mels=bands)
        )


class LogMel128(LogMel):
    """T x 128: power in 128 mel bands, 128 ms every 32 ms, in decibels with 80 dB of range.

    Equal to librosa as `logmel` is, at librosa's own defaults but for the rate: `n_fft=2048`,
    `hop_length=512`, `n_mels=128`. The input of the 2-D network of J. Zhao et al. (2019).
    """

    name = "logmel128"
    summary = "128 log-mel bands (librosa)"
    dim = 128
    defaults = {"hop_length": 512, "n_fft": 2048}  # noqa: RUF012 - declared as ClassVar in Backbone
    constants = {"n_mels": 128, "top_db": 80.0}  # noqa: RUF012
