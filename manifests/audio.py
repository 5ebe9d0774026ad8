"""Reading one audio file: its samples, their hash, and plain words for what cannot be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import AudioError, SerError
from ..files import open_regular
from .containers import Content, find_sound
from .decode import MOST_SAMPLES, decode

MINIMUM_SECONDS = 0.1
"""Shorter sound gives some backbones no frame at all."""

SILENCE = 1e-4
"""Peak-to-peak amplitude (full scale is 2) below which a file is silent: three steps of 16 bits."""

SILENT = "silent: all samples are (nearly) the same"
CANCELLED = "the channels cancel each other out: their mean is silence"

CLICK = 0.05
"""Seconds. Where nothing is heard farther than this from the outermost sample, nobody speaks."""

LOUDEST = 2.0
"""Amplitude (full scale is 1) that mixing, resampling and lossy codecs may reach: 6 dB over it."""

MOST_BYTES = MOST_SAMPLES * 4
"""Size of a file. No sound that is short enough needs more, but in 64 bits."""

_PIECE = 1 << 20  # frames that are hashed at once

HASH_DIGITS = 32
"""Hex digits of an audio hash: too many for a spreadsheet to take one for a number by chance."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Decoded sound: `samples` is float32, frames x channels, full scale 1; `rate` is in Hz."""

    samples: npt.NDArray[np.float32]
    rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    @cached_property
    def mono(self) -> npt.NDArray[np.float32]:
        """What is heard of the samples: see `mix`."""
        return mix(self.samples)

    @cached_property
    def sha(self) -> str:
        """The audio hash: of what is heard, and its rate, 32 hex digits.

        A lossless copy in another format has the same hash, whatever its channels, if they are
        alike.

        Raises:
            AudioError: as `mix`.
        """
        digest = hashlib.sha256(f"{self.rate} Hz, 1 channels\n".encode())
        for start in range(0, len(self.mono), _PIECE):
            # Adding zero makes -0.0 (which integer formats do not have) into 0.0.
            piece = self.mono[start : start + _PIECE] + 0
            digest.update(piece.astype("<f4", order="C", copy=False).data)
        return digest.hexdigest()[:HASH_DIGITS]


def mix(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give what a backbone hears of several channels: their mean.

    The mean of channels that are all the same is each of them, to the last bit.

    Args:
        samples: shape (frames, channels).

    Returns:
        Shape (frames,).

    Raises:
        AudioError: the channels cancel each other out.
    """
    mono = average(samples)
    if samples.shape[1] > 1 and mono.max() - mono.min() < SILENCE:
        raise AudioError(CANCELLED)
    return mono


def average(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of the channels, whatever it is: (frames, channels) to (frames,)."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    # 53 bits hold the sum of a million equal numbers of 24, and round that of two but once.
    mono: npt.NDArray[np.float32] = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mono


def read_audio(path: Path) -> Audio:
    """Decode a whole audio file, and refuse what no feature should be computed from.

    Raises:
        AudioError: missing, empty, not audio, truncated, other than its header says (see
            `find_sound`), beyond the limits of `decode`, shorter than 0.1 s, silent, far beyond
            full scale, or with samples that are no numbers. The message is the reason, without the
            path.
        MissingPackageError: soundfile is not installed.
    """
    with blamed_on_the_file():
        return usable(*decode(find_sound(Content.of(_read(path)))))


@contextmanager
def blamed_on_the_file() -> Iterator[None]:
    """Let everything that is raised in here, but for our own errors, leave as an AudioError: one
    odd file must not end the work on all others."""
    try:
        yield
    except SerError:
        raise
    except MemoryError as error:
        raise AudioError("needs more memory than there is") from error
    except Exception as error:
        raise AudioError(f"cannot be decoded: {type(error).__name__}: {error}") from error


@contextmanager
def opened_audio(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """An audio file, open to read its bytes, and how many there are.

    Raises:
        AudioError: missing, empty, or it cannot be read.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise AudioError("the file is empty")
            yield file, size
    except FileNotFoundError as error:
        raise AudioError("no such file") from error
    except OSError as error:
        reason = "not a file" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise AudioError(reason) from error


def _read(path: Path) -> bytes:
    with opened_audio(path) as (file, size):
        if size > MOST_BYTES:
            raise AudioError(
                f"too large: {size} bytes, and at most {MOST_BYTES} are read; cut it into "
                "utterances"
            )
        return file.read(size)


def usable(samples: npt.NDArray[np.float32], rate: int) -> Audio:
    """Sound that features can be computed from, frames x channels; else raises AudioError."""
    check_duration(len(samples) / rate)
    check_amplitude(samples)
    _check_sounding(samples if samples.shape[1] == 1 else samples - samples[0], rate)
    return Audio(samples, rate)


def check_duration(seconds: float) -> None:
    """Raise AudioError for sound that is too short."""
    if seconds < MINIMUM_SECONDS:
        raise AudioError(
            f"too short: {seconds:.3f} s of sound, at least {MINIMUM_SECONDS} s needed"
        )


def check_amplitude(samples: npt.NDArray[np.float32]) -> None:
    """Raise AudioError for samples that are no finite numbers, or far beyond full scale."""
    low, high = samples.min(), samples.max()  # a NaN anywhere makes both NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AudioError("holds samples that are no finite numbers (NaN or infinity)")
    if max(-low, high) > LOUDEST:
        raise AudioError(
            f"its samples reach {max(-low, high):.6g}, where full scale is 1: divide them by that "
            "of the program that made them, which is 32768 for 16 bits, and write the file anew"
        )


def _check_sounding(samples: npt.NDArray[np.float32], rate: int) -> None:
    """Refuse silence, and a click with nothing around it; each of several channels begins at 0."""
    halves = samples[: len(samples) // 2], samples[len(samples) // 2 :]
    if all(part.max() - part.min() >= SILENCE for part in halves):
        return
    low, high, start = samples.min(), samples.max(), samples[0, 0]
    if high - low < SILENCE:
        raise AudioError(SILENT)
    outermost = int(samples.argmax() if high - start > start - low else samples.argmin())
    click, reach = outermost // samples.shape[1], round(CLICK * rate)
    around = samples[: max(click - reach, 0)], samples[click + reach :]
    extremes = [value for part in around if part.size for value in (part.min(), part.max())]
    if extremes and max(extremes) - min(extremes) < SILENCE:
        raise AudioError(f"silent, but for a click after {click / rate:.3f} s")
