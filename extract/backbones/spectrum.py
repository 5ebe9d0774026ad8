"""Power and mel spectrograms as librosa computes them, without importing it.

librosa brings numba, scipy.signal and more: seconds for every process that starts, to use a
Fourier transform and two formulas of it. The numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..audio import RATE
from .backbone import Array

Scale = Literal["slaney", "htk"]

_BLOCK = 1 << 18
"""Samples of overlapping windows that are transformed at a time: what a core's cache holds."""


def mel_power(
    samples: Array,
    *,
    n_fft: int,
    hop_length: int,
    n_mels: int,
    win_length: int | None = None,
    fmin: float = 0.0,
    fmax: float = RATE / 2,
    mel_scale: Scale = "slaney",
    mode: Literal["constant", "reflect"] = "constant",
) -> Array:
    """Power per mel band: periodic Hann window, centred frames.

    Args:
        samples: mono, 16 kHz, shape (samples,).
        n_fft: samples that are transformed.
        hop_length: samples between frames.
        n_mels: bands.
        win_length: samples of the window, in the middle of n_fft; None is all of them.
        fmin: Hz where the bands begin.
        fmax: Hz where they end.
        mel_scale: "slaney" has bands of equal area, "htk" of equal height.
        mode: what is beyond both ends: zeros ("constant") or the signal mirrored ("reflect").

    Returns:
        Shape (1 + samples // hop_length, n_mels), not logarithmic.
    """
    filters = mel_filters(n_fft, n_mels, fmin, fmax, mel_scale)
    spectra = power_spectra(
        samples, n_fft=n_fft, hop_length=hop_length, win_length=win_length, mode=mode
    )
    return np.concatenate([power @ filters.T for power in spectra])


def power_spectra(
    samples: Array,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    mode: Literal["constant", "reflect"] = "constant",
) -> Iterator[Array]:
    """Power per bin, arguments as `mel_power`, some frames at a time: (frames, 1 + n_fft // 2)."""
    padded = np.pad(samples, n_fft // 2, mode)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    hann = _hann(win_length or n_fft, n_fft)
    step = max(1, _BLOCK // n_fft)
    for start in range(0, len(frames), step):
        # The transform of doubles is rounded afterwards, or quiet bands would lose their digits.
        spectrum = np.fft.rfft(frames[start : start + step] * hann).astype(np.complex64)
        yield spectrum.real**2 + spectrum.imag**2


def decibels(power: Array) -> Array:
    """Ten times the logarithm of power, cut off 80 dB below the loudest: librosa's power_to_db."""
    loud: Array = 10 * np.log10(np.maximum(power, np.float32(1e-10)))
    cut: Array = np.maximum(loud, loud.max() - np.float32(80))
    return cut


@cache
def mel_filters(n_fft: int, n_mels: int, fmin: float, fmax: float, scale: Scale) -> Array:
    """Triangles over the bins of a transform, each from the centre of the band before to the next:
    (n_mels, 1 + n_fft // 2). Short windows leave narrow bands without a bin: zeros."""
    bins = np.linspace(0, RATE / 2, 1 + n_fft // 2)
    low, high = _mel(np.array([fmin, fmax]), scale)
    corners = _hertz(np.linspace(low, high, n_mels + 2), scale)
    width = np.diff(corners)[:, None]
    rising = (bins - corners[:-2, None]) / width[:-1]
    falling = (corners[2:, None] - bins) / width[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    if scale == "slaney":
        filters *= 2 / (corners[2:, None] - corners[:-2, None])
    return filters.astype(np.float32)


Doubles = npt.NDArray[np.float64]

# Slaney's scale: 3 mel for 200 Hz up to 1 kHz, from there 27 mel for a factor of 6.4.
_KNEE, _KNEE_MEL, _STEP = 1000.0, 15.0, np.log(6.4) / 27


def _mel(hertz: Doubles, scale: Scale) -> Doubles:
    if scale == "htk":
        return np.asarray(2595 * np.log10(1 + hertz / 700))
    above = _KNEE_MEL + np.log(np.maximum(hertz, _KNEE) / _KNEE) / _STEP
    return np.where(hertz < _KNEE, hertz * 3 / 200, above)


def _hertz(mel: Doubles, scale: Scale) -> Doubles:
    if scale == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    above = _KNEE * np.exp(_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * 200 / 3, above)


@cache
def _hann(window: int, n_fft: int) -> Doubles:
    """The window, with zeros to both sides."""
    before = (n_fft - window) // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.pad(hann, (before, n_fft - window - before))
