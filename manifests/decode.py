"""Decoding with libsndfile, in pieces and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import AudioError, MissingPackageError, install_command
from .containers import Sound, flac
from .containers.sound import TOLERANCE, too_much

LONGEST = 3600
"""Seconds. No utterance is longer, and no header may make us decode more."""

MOST_SAMPLES = LONGEST * 48000
"""Samples of all channels together, 700 MB: an hour at 48 kHz, or half an hour in stereo."""

LOWEST_RATE, HIGHEST_RATE = 4000, 768_000
"""Samples per second. Below it there is nothing over 2 kHz, where the vowels are told apart;
telephones have 8 kHz. Above it no converter works: the header is wrong."""

MOST_CHANNELS = 64

_BLOCK = 1 << 22
"""Samples of all channels that are decoded at once: minutes, so that most files are one block."""

_BEYOND = 1024
"""Samples of each channel that are asked for behind the last one that the header promises."""

_UNKNOWN = 1 << 40
"""Frames from here on are libsndfile's way of saying that the header has no length."""

_BYTES = {
    **dict.fromkeys(("PCM_S8", "PCM_U8", "ULAW", "ALAW"), 1),
    "PCM_16": 2,
    "PCM_24": 3,
    **dict.fromkeys(("PCM_32", "FLOAT"), 4),
    "DOUBLE": 8,
}
"""Bytes of a sample, in the encodings where each has as many."""


def decode(sound: Sound) -> tuple[npt.NDArray[np.float32], int]:
    """Decode what a container holds.

    Returns:
        Samples, float32, frames x channels, full scale 1; and their rate in Hz.

    Raises:
        AudioError: not decodable, other than its container promises, or beyond the limits above.
        MissingPackageError: soundfile is not installed.
    """
    with Decoder(sound) as decoder:
        promised, done, blocks = decoder.promised, 0, []
        _check_limit(promised if promised < _UNKNOWN else 0, decoder)
        for block in decoder.blocks(max(_BLOCK // decoder.channels, 1)):
            blocks.append(block)
            done += len(block)
            _check_limit(done, decoder)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks), decoder.rate


class Decoder:
    """Decodes what a container holds, however long, block by block; a context manager.

    Attributes:
        rate: samples per second of each channel.
        promised: samples of each channel, as the header says.

    Raises:
        AudioError: not decodable; a rate or a number of channels beyond the limits above.
        MissingPackageError: soundfile is not installed.
    """

    def __init__(self, sound: Sound) -> None:
        soundfile, opened = _soundfile()
        self._sound, self._unreadable = sound, soundfile.SoundFileError
        self._content = sound.data.open()
        with self._undecodable():
            self._file = opened(self._content)
        try:
            _check_header(self._file, sound)
        except BaseException:
            self._file.close()
            raise
        self.rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.promised = int(self._file.frames) if sound.frames is None else sound.frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self, largest: int) -> Iterator[npt.NDArray[np.float32]]:
        """All samples, float32, frames x channels, in blocks of at most `largest` frames, of which
        there is at least one; never much more than is there, whatever the header claims.

        Raises:
            AudioError: what follows cannot be decoded, is not there, or was not promised.
        """
        done, sound, block = 0, self._sound, None
        while block is None or len(block):
            block = self._next(min(max(self.promised - done, _BEYOND), largest), done)
            if len(block) or not done:
                yield block
            done += len(block)
            _check_length(done, sound.frames, 0)
        if self._content.failure:
            raise self._content.failure
        width = _BYTES.get(str(self._file.subtype), 0) * self.channels
        _check_length(done, sound.frames, sound.least)
        if sound.size is not None and width:
            _check_length(done, sound.size // width, (sound.size - TOLERANCE) // width)

    def _next(self, frames: int, done: int) -> npt.NDArray[np.float32]:
        """The next block, which is empty at the end."""
        try:
            with self._undecodable():
                block: npt.NDArray[np.float32] = self._file.read(frames, "float32", always_2d=True)
        except AudioError:
            if done != self._sound.frames:
                raise
            flac.check_rest(self._sound.data)
            return np.empty((0, self.channels), np.float32)
        return block

    @contextmanager
    def _undecodable(self) -> Iterator[None]:
        """Tell what libsndfile says."""
        try:
            yield
        except self._unreadable as error:
            if self._content.failure:
                raise self._content.failure from error
            start = self._sound.data[:12].decode("ascii", "backslashreplace")
            reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").strip(" .")
            if "SF_INFO" in reason:
                reason = "the rate or the number of channels in its header is impossible"
            raise AudioError(
                f"cannot be decoded: {reason}; the file begins with {start!r}"
            ) from error


def _check_header(file: Any, sound: Sound) -> None:
    rate, channels, form = int(file.samplerate), int(file.channels), str(file.format)
    if form not in sound.formats:
        raise AudioError(f"cannot be decoded: it seems to be {min(sound.formats)}, and {form}, too")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"its header says {rate} samples a second; speech has {LOWEST_RATE} to {HIGHEST_RATE}"
        )
    if channels > MOST_CHANNELS:
        raise AudioError(f"its header says {channels} channels; at most {MOST_CHANNELS} are read")


def _check_limit(frames: int, decoder: Decoder) -> None:
    rate, channels = decoder.rate, decoder.channels
    if frames > LONGEST * rate:
        raise AudioError(
            f"too long: {frames / rate:.0f} s of sound or more, and an utterance has at most "
            f"{LONGEST} s; cut it into utterances"
        )
    if frames * channels > MOST_SAMPLES:
        raise AudioError(
            f"too large: {frames / rate:.0f} s of sound or more in {channels} channels at {rate} "
            f"Hz, and at most {MOST_SAMPLES} samples are read; mix it to mono, or cut it"
        )


def _check_length(decoded: int, promised: int | None, least: int) -> None:
    if decoded < least:
        raise AudioError(f"truncated: {decoded} of {promised or least} samples can be decoded")
    if promised is not None and decoded > promised + TOLERANCE:
        raise too_much(f"{promised} samples", f"at least {decoded} are there")


def _soundfile() -> tuple[Any, Any]:
    """The package, and its `SoundFile` for reading straight on.

    Where libsndfile could seek, the package does so after each read, and fails where it cannot.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the wheel is there, libsndfile is not
        raise MissingPackageError(
            f"reading audio needs soundfile: {install_command('extract')}"
        ) from error
    return soundfile, type("Forward", (soundfile.SoundFile,), {"seekable": lambda _: False})
