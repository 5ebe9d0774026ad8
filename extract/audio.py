"""One utterance as every backbone gets it: mono, float32, 16 kHz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import AudioError
from ..manifests import read_audio
from ..manifests.audio import SILENCE, blamed_on_the_file, mix
from .packages import need

RATE = 16000
"""Samples per second of what the backbones get."""

RECIPE: Mapping[str, str | int] = {
    "channels": "mean",
    "rate": RATE,
    "resampler": "soxr VHQ",
    "samples": "float32",
}
"""How a file becomes samples: part of every feature key, so change both together."""


NOTHING_LEFT = f"nothing of its sound is left at {RATE} Hz"


def load_utterance(path: Path, audio_hash: str) -> npt.NDArray[np.float32]:
    """Decode a file and bring it to the recipe: (samples,), 16 kHz, full scale at 1.

    Args:
        audio_hash: of the file that it must be; "": of any.

    Raises:
        AudioError: the file cannot be used, or is not the one that the manifest was made from.
    """
    with blamed_on_the_file():
        audio = read_audio(path)
        if audio_hash and audio.sha != audio_hash:
            raise AudioError("audio changed since the manifest was made; build it again")
        return to_recipe(audio.samples, audio.rate)


def to_recipe(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Average the channels, (frames, channels), and resample to 16 kHz, (samples,).

    Raises:
        AudioError: the channels cancel each other out, or nothing of the sound lies below 8 kHz.
    """
    mono = mix(samples)
    if rate != RATE:
        mono = need("soxr").resample(mono, rate, RATE, quality="VHQ")
        if mono.max() - mono.min() < SILENCE:
            raise AudioError(NOTHING_LEFT)
    return np.ascontiguousarray(mono, dtype=np.float32)
