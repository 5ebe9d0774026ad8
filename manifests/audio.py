"""Reading one audio file: its samples, their hash, and plain words for what cannot be used."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AudioError, MissingPackageError
from ..install import install_command
from .riff import complete

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MINIMUM_SECONDS = 0.1
"""Shorter sound gives some backbones no frame at all."""

SILENCE = 1e-4
"""Peak-to-peak amplitude (full scale is 2) below which a file is silent: three steps of 16 bits."""

_UNKNOWN = 1 << 40
"""Frames from here on are libsndfile's way of saying that the header has no length."""

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
    def sha(self) -> str:
        """The audio hash: of the samples, their rate and the channel count, 32 hex digits.

        A lossless copy in another format has the same hash.
        """
        digest = hashlib.sha256(f"{self.rate} Hz, {self.samples.shape[1]} channels\n".encode())
        # Adding zero makes -0.0 (which integer formats do not have) into 0.0.
        digest.update((self.samples + 0).astype("<f4", order="C", copy=False).tobytes())
        return digest.hexdigest()[:HASH_DIGITS]


def read_audio(path: Path) -> Audio:
    """Decode a whole audio file, and refuse what no feature should be computed from.

    Raises:
        AudioError: missing, empty, not audio, truncated, shorter than 0.1 s, silent, or with
            samples that are no numbers. The message is the reason, without the path.
        MissingPackageError: soundfile is not installed.
    """
    try:
        if not path.is_file():
            raise AudioError("not a file" if path.exists() else "no such file")
        data = path.read_bytes()
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise AudioError("the file is empty")
    return _checked(*_decode(complete(data)))


def _decode(data: bytes) -> tuple[npt.NDArray[np.float32], int]:
    soundfile: Any = _soundfile()
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            promised, rate, form = int(file.frames), int(file.samplerate), str(file.format)
            if promised >= _UNKNOWN:
                raise AudioError("a streamed file that does not say its length; write it anew")
            samples: npt.NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        start = data[:12].decode("ascii", "backslashreplace")
        reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").strip(" .")
        raise AudioError(f"cannot be decoded: {reason}; the file begins with {start!r}") from error
    # Only FLAC: lossy formats may estimate their length, WAV and AIFF were looked at before.
    if form == "FLAC" and len(samples) < promised:
        raise AudioError(f"truncated: {len(samples)} of {promised} samples can be decoded")
    return samples, rate


def _checked(samples: npt.NDArray[np.float32], rate: int) -> Audio:
    import numpy as np

    seconds = len(samples) / rate
    if seconds < MINIMUM_SECONDS:
        raise AudioError(
            f"too short: {seconds:.3f} s of sound, at least {MINIMUM_SECONDS} s needed"
        )
    low, high = samples.min(), samples.max()  # a NaN anywhere makes both NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AudioError("holds samples that are no finite numbers (NaN or infinity)")
    if high - low < SILENCE:
        raise AudioError("silent: all samples are (nearly) the same")
    return Audio(samples, rate)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the wheel is there, libsndfile is not
        raise MissingPackageError(
            f"reading audio needs soundfile: {install_command('extract')}"
        ) from error
    return soundfile
