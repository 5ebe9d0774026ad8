"""The front end of the GE2E speaker encoder: what Resemblyzer 0.1.4 feeds its LSTM.

Behaviour after https://github.com/resemble-ai/Resemblyzer (Apache-2.0), numbers to 1e-5 of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import AudioError
from ..audio import RATE
from ..packages import need
from .backbone import Array
from .spectrum import mel_power

BANDS = 40
HOP = RATE // 100

_VOLUME = -30.0  # dB of full scale, RMS
_FULL_SCALE = 32767
_BLOCK = RATE * 30 // 1000  # samples that one voice decision is about
_SMOOTH = 8  # blocks that vote on each block
_REACH = 3  # blocks kept on either side of a voiced one


def speech_frames(samples: Array) -> Array:
    """The mel frames of an utterance's speech: power in 40 bands, 25 ms every 10 ms, (frames, 40).

    All frames that reach into the speech. What follows is zero, so padding with zeros gives the
    frames of a padded wave.

    Raises:
        AudioError: there is no speech.
        MissingPackageError: webrtcvad is not installed.
    """
    speech = trim_silence(raise_volume(samples))
    if not len(speech):
        raise AudioError("no speech found (by the voice activity detector)")
    padded = np.pad(speech, (0, HOP))  # the last frame is centred 10 ms after the end
    return mel_power(padded, n_fft=RATE * 25 // 1000, hop_length=HOP, n_mels=BANDS)


def raise_volume(samples: Array) -> Array:
    """Amplify a quiet utterance to an RMS of -30 dB of full scale; leave a loud one as it is."""
    rms = np.sqrt(np.mean((samples * _FULL_SCALE) ** 2))
    gain = np.float32(_VOLUME) - 20 * np.log10(rms / np.float32(_FULL_SCALE))
    return samples if gain < 0 else samples * np.float32(10 ** (gain / 20))


def trim_silence(samples: Array) -> Array:
    """Cut what is not speech, but for short pauses: a multiple of 30 ms is left, or nothing.

    A block of 30 ms is kept where more than half of the eight blocks around it are voiced, or
    where such a block lies within 90 ms.
    """
    blocks = len(samples) // _BLOCK
    if not blocks:
        return samples[:0]
    samples = samples[: blocks * _BLOCK]
    votes = np.convolve(_voiced(samples), np.ones(_SMOOTH))[_SMOOTH // 2 :][:blocks]
    reach = np.convolve(votes > _SMOOTH / 2, np.ones(2 * _REACH + 1))[_REACH:][:blocks]
    return samples[np.repeat(reach > 0, _BLOCK)]


def _voiced(samples: Array) -> npt.NDArray[np.bool_]:
    """The decision of WebRTC's voice activity detector, at its strictest, for each block."""
    # The package's Python module imports pkg_resources, which setuptools dropped in version 81,
    # only to learn its own version; the extension module beside it is all that is needed.
    webrtcvad = need("_webrtcvad", "webrtcvad")
    detector = webrtcvad.create()
    webrtcvad.init(detector)
    webrtcvad.set_mode(detector, 3)
    # Peaks may pass full scale, where Resemblyzer wraps them round; here they are clipped.
    pcm = np.clip(np.round(samples * _FULL_SCALE), -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16)
    blocks = pcm.reshape(-1, _BLOCK)
    voiced = [webrtcvad.process(detector, RATE, block.tobytes(), _BLOCK) for block in blocks]
    return np.array(voiced, dtype=bool)
