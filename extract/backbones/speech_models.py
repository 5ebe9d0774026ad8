"""What the JSON files of a speech encoder's folder say of it, read without any library."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from msgspec.structs import fields

from ...errors import InputError, SerError
from ..audio import RATE
from ..weights.model_folder import read_json
from .settings import read_settings, shown
from .speech_settings import REFUSED, SETTINGS, Wave, WaveFront, Whisper, WhisperFront


@dataclass(frozen=True)
class SpeechModel:
    """Shape and front end of a speech encoder.

    Attributes:
        family: as transformers names it, such as `wavlm`.
        settings: all that decides its network, checked.
        front: all that decides how its feature extractor prepares audio, checked.
        dim: columns of its hidden states.
        layers: of the transformer; its hidden states are 0 (before the first) to `layers`.
        strides: samples, or for Whisper mel frames, from one row to the next, by convolution.
        kernels: widths of the convolutions.
        chunk: mel frames that Whisper takes at a time; 0 for the others.
    """

    folder: Path
    family: str
    settings: Wave | Whisper
    front: WaveFront | WhisperFront
    dim: int
    layers: int
    strides: tuple[int, ...]
    kernels: tuple[int, ...] = ()
    chunk: int = 0

    @property
    def frame_rate(self) -> float:
        """Rows per second."""
        return RATE / prod(self.strides)

    def frames(self, samples: int) -> int:
        """How many rows an utterance of so many samples gives (0 if it is too short)."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            samples = max(0, (samples - kernel) // stride + 1)
        return samples


def read_speech_model(folder: Path) -> SpeechModel:
    """Read config.json and the feature extractor's settings.

    Raises:
        InputError: it is not a speech encoder that is known here, or hears at another rate.
        SerError: files are missing, damaged, or ask for what makes no sense.
    """
    config = read_json(folder, "config.json")
    family = config.get("model_type")
    if not isinstance(family, str) or family not in SETTINGS:
        raise InputError(
            f"{folder}: not a speech encoder: config.json says model_type {shown(family)}; those "
            f"that can be used are {', '.join(sorted(SETTINGS))}"
        )
    prepared = _front_end(folder)
    rate = prepared.get("sampling_rate", RATE)
    if rate != RATE:
        raise InputError(f"{folder}: takes audio at {shown(rate)} Hz; only {RATE} Hz can be given")
    try:
        for name, why in REFUSED.items():
            if config.get(name):
                raise ValueError(f"{name} is given, and {why}, which cannot be used here")
        settings = read_settings(config, SETTINGS[family])
    except ValueError as error:
        raise SerError(f"{folder}: config.json makes no sense ({error})") from error
    try:
        if isinstance(settings, Whisper):
            return _whisper(folder, family, settings, read_settings(prepared, WhisperFront))
        front = read_settings(prepared, WaveFront)
    except ValueError as error:
        raise SerError(
            f"{folder}: the feature extractor's settings make no sense ({error})"
        ) from error
    shape = settings.hidden_size, settings.num_hidden_layers
    return SpeechModel(
        folder, family, settings, front, *shape, settings.conv_stride, settings.conv_kernel
    )


def _whisper(folder: Path, family: str, settings: Whisper, front: WhisperFront) -> SpeechModel:
    """Whisper's log-mel frames are halved by its second convolution."""
    chunk = front.chunk_length * RATE // front.hop_length
    positions = settings.max_source_positions
    if chunk != 2 * positions:
        raise ValueError(f"{chunk} mel frames, but config.json has {positions} positions")
    if front.feature_size != settings.num_mel_bins:
        raise ValueError(f"feature_size is not num_mel_bins, {settings.num_mel_bins}")
    shape = settings.d_model, settings.encoder_layers, (front.hop_length, 2)
    return SpeechModel(folder, family, settings, front, *shape, chunk=chunk)


def _front_end(folder: Path) -> dict[str, Any]:
    """The settings of the feature extractor; where two files have them, they must agree."""
    own, both = "preprocessor_config.json", "processor_config.json"
    found = read_json(folder, both).get("feature_extractor") if (folder / both).exists() else None
    if not (folder / own).exists():
        if not isinstance(found, dict):
            raise SerError(
                f"{folder}: has no {own}, which says how audio is prepared; take it from the "
                "model that this one was made from"
            )
        return found
    front = read_json(folder, own)
    used = {field.name for kind in (WaveFront, WhisperFront) for field in fields(kind)}
    if isinstance(found, dict) and any(
        found[name] != front[name]
        for name in {"sampling_rate", *used} & found.keys() & front.keys()
    ):
        raise SerError(f"{folder}: {own} and {both} say different things of how audio is prepared")
    return front
