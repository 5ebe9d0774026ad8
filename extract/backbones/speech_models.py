"""What the JSON files of a speech encoder's folder say of it, read without any library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ...errors import InputError, SerError
from ..audio import RATE
from ..weights.model_folder import read_json
from .settings import read_settings
from .speech_settings import FRONT_WAVE, FRONT_WHISPER, SETTINGS, WHISPER, model_settings


@dataclass(frozen=True)
class SpeechModel:
    """Shape and front end of a speech encoder.

    Attributes:
        folder: where its files are.
        family: as transformers names it, such as `wavlm`.
        dim: columns of its hidden states.
        layers: of the transformer; its hidden states are 0 (before the first) to `layers`.
        strides: samples, or for Whisper mel frames, from one row to the next, by convolution.
        kernels: widths of the convolutions.
        normalise: whether the samples are brought to mean 0 and variance 1.
        chunk: mel frames that Whisper takes at a time; 0 for the others.
        settings: all that decides its network, checked.
        front: all that decides how its feature extractor prepares audio, checked.
    """

    folder: Path
    family: str
    dim: int
    layers: int
    strides: tuple[int, ...]
    kernels: tuple[int, ...]
    normalise: bool
    chunk: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)
    front: Mapping[str, Any] = field(default_factory=dict, compare=False)

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
        shown = f"{family!r:.80}" if isinstance(family, str) else f"{type(family).__name__}"
        raise InputError(
            f"{folder}: not a speech encoder: config.json says model_type {shown}; those that "
            f"can be used are {', '.join(sorted(SETTINGS))}"
        )
    front = _front_end(folder)
    rate = front.get("sampling_rate", RATE)
    if rate != RATE or isinstance(rate, bool):
        shown = str(rate) if isinstance(rate, float) else f"{rate!r:.20}"
        raise InputError(f"{folder}: takes audio at {shown} Hz; only {RATE} Hz can be given")
    try:
        settings = model_settings(family, config)
    except ValueError as error:
        raise SerError(f"{folder}: config.json makes no sense ({error})") from error
    try:
        if family == WHISPER:
            return _whisper(folder, settings, read_settings(front, FRONT_WHISPER))
        prepared = read_settings(front, FRONT_WAVE)
    except ValueError as error:
        raise SerError(
            f"{folder}: the feature extractor's settings make no sense ({error})"
        ) from error
    return SpeechModel(
        folder=folder,
        family=family,
        dim=settings["hidden_size"],
        layers=settings["num_hidden_layers"],
        strides=settings["conv_stride"],
        kernels=settings["conv_kernel"],
        normalise=prepared["do_normalize"],
        settings=settings,
        front=prepared,
    )


def _whisper(folder: Path, settings: dict[str, Any], front: dict[str, Any]) -> SpeechModel:
    """Whisper's front: log-mel frames every 160 samples, halved by the second convolution."""
    hop = front["hop_length"]
    chunk = front["chunk_length"] * RATE // hop
    positions = settings["max_source_positions"]
    if chunk != 2 * positions:
        raise ValueError(f"{chunk} mel frames, but config.json has {positions} positions")
    if front["feature_size"] != settings["num_mel_bins"]:
        raise ValueError(f"feature_size is not num_mel_bins, {settings['num_mel_bins']}")
    return SpeechModel(
        folder=folder,
        family=WHISPER,
        dim=settings["d_model"],
        layers=settings["encoder_layers"],
        strides=(hop, 2),
        kernels=(),
        normalise=front["do_normalize"],
        chunk=chunk,
        settings=settings,
        front=front,
    )


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
    used = {"sampling_rate", *FRONT_WAVE, *FRONT_WHISPER}
    if isinstance(found, dict) and any(
        found[name] != front[name] for name in used & found.keys() & front.keys()
    ):
        raise SerError(f"{folder}: {own} and {both} say different things of how audio is prepared")
    return front
