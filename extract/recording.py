"""A recording of any length as every backbone gets it, mono, float32, 16 kHz, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError
from ..manifests.audio import (
    CANCELLED,
    LOUDEST,
    SILENCE,
    SILENT,
    average,
    blamed_on_the_file,
    check_amplitude,
    check_duration,
    opened_audio,
)
from ..manifests.containers import Content, find_sound
from ..manifests.decode import Decoder
from .audio import NOTHING_LEFT, RATE
from .backbones.backbone import Array
from .memory import Sound, as_samples
from .packages import need

BLOCK = 1 << 14
"""Samples of each channel that are decoded at once."""


def stream(sound: Sound, block: int = BLOCK) -> Iterator[Array]:
    """The samples of a recording, 16 kHz, full scale at 1, in pieces, (samples,) each.

    Put together they are those of `to_recipe`, bit for bit, whatever `block` is. What an utterance
    is refused for ends a recording where it is seen: what a container lacks before anything is
    decoded; samples that cannot be used after all those before them; and after everything that
    there was less than 0.1 s, or nothing but silence.

    Raises:
        AudioError: (the iterator) it cannot be used, from here on; the message is the reason, with
            the time where it begins.
        MissingPackageError: soundfile or soxr is not installed.
    """
    with blamed_on_the_file():
        if not isinstance(sound, str | Path):
            samples, rate = as_samples(sound)
            pieces = (samples[start : start + block] for start in range(0, len(samples), block))
            yield from _to_recipe(pieces, rate)
            return
        with (
            opened_audio(Path(sound)) as (file, size),
            Decoder(find_sound(Content.in_file(file, size))) as decoder,
        ):
            yield from _to_recipe(decoder.blocks(block), decoder.rate)


def _to_recipe(blocks: Iterable[Array], rate: int) -> Iterator[Array]:
    """As `to_recipe` for a whole sound: the blocks are (frames, channels)."""
    resample = _resampler(rate)
    done, channels, mono, found = 0, _Range(), _Range(), _Range()
    try:
        for block in blocks:
            usable = _usable(block)
            mixed = average(block[:usable])
            channels.see(block[:usable])
            mono.see(mixed)
            yield found.see(resample(mixed))
            done += usable
            if usable < len(block):
                check_amplitude(block[usable : usable + 1])
    except AudioError as error:
        if not done:
            raise
        raise AudioError(f"after {done / rate:.2f} s: {error}") from error
    check_duration(done / rate)
    if channels.silent:
        raise AudioError(SILENT)
    if mono.silent:
        raise AudioError(CANCELLED)
    yield found.see(resample(np.empty(0, np.float32), last=True))
    if found.silent:
        raise AudioError(NOTHING_LEFT)


def _resampler(rate: int) -> Any:
    """What brings pieces of a mono sound to 16 kHz, as `to_recipe` does with a whole one; the last
    has to be called so."""
    if rate == RATE:
        return lambda samples, last=False: samples
    return need("soxr").ResampleStream(rate, RATE, 1, dtype="float32", quality="VHQ").resample_chunk


def _usable(block: Array) -> int:
    """How many frames there are before one that holds what is no sample."""
    strange = ~(np.abs(block) <= LOUDEST).all(axis=1)  # NaN is not less than anything
    return int(strange.argmax()) if strange.any() else len(block)


class _Range:
    """The lowest and the highest value of each channel so far."""

    def __init__(self) -> None:
        self._low, self._high = np.float32(np.inf), np.float32(-np.inf)

    def see(self, samples: Array) -> Array:
        """Take samples into account, and give them back."""
        if len(samples):
            self._low = np.minimum(self._low, samples.min(axis=0))
            self._high = np.maximum(self._high, samples.max(axis=0))
        return samples

    @property
    def silent(self) -> bool:
        """Whether no channel ever moved."""
        return bool((self._high - self._low < SILENCE).all())
