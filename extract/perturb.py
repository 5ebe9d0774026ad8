"""Perturbed recordings: other voices, other rates and noise, for features to train on."""

from __future__ import annotations

import numpy as np

from ..cache.perturbations import Perturbation
from .audio import RATE
from .backbones.backbone import Array
from .packages import need

WINDOW = 512
"""Samples of a window in which pitch is shifted: 32 ms, two periods of the lowest voices. Keys do
not have it: another one, and any change of what is heard here, needs a name of its own."""


def perturbed(samples: Array, how: str) -> Array:
    """What is heard of samples, (n,) at 16 kHz, after a perturbation; they stay as they are.

    - `speedF`: resampled, so that n becomes n / F and all frequencies are F times as high (Ko et
      al. 2015, Audio augmentation for speech recognition).
    - `pitchS`: S semitones higher at the same rate, by librosa's phase vocoder; n samples.
    - `noiseD`: white Gaussian noise is added, D dB below the mean power of the samples. It is
      drawn by their number: their last bits may be others on another machine.

    Args:
        how: a name of `cache.perturbations`; blank: nothing is changed.
    """
    if not how:
        return samples
    kind, amount = Perturbation.parse(how)
    if kind == "speed":
        changed = need("soxr").resample(samples, RATE * amount, RATE, quality="VHQ")
    elif kind == "pitch":
        changed = need("librosa").effects.pitch_shift(
            samples, sr=RATE, n_steps=amount, n_fft=WINDOW, hop_length=WINDOW // 4
        )
    else:
        power = np.square(samples, dtype=np.float64).mean()
        # Of NumPy's generators the one whose stream no later version changes.
        white = np.random.RandomState(len(samples)).standard_normal(len(samples))
        changed = samples + np.sqrt(power * 10 ** (-amount / 10)) * white
    return np.ascontiguousarray(changed, dtype=np.float32)
