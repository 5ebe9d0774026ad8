"""What the JSON files of a speech encoder's folder say of it, read without any library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import InputError, SerError
from .audio import RATE

WAVES = frozenset(
    {
        "data2vec-audio",
        "hubert",
        "unispeech",
        "unispeech-sat",
        "wav2vec2",
        "wav2vec2-conformer",
        "wavlm",
    }
)
"""Families of transformers that take samples: a convolutional front, then a transformer."""
WHISPER = "whisper"

_MAX_BYTES = 10 << 20


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
    """

    folder: Path
    family: str
    dim: int
    layers: int
    strides: tuple[int, ...]
    kernels: tuple[int, ...]
    normalise: bool
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
        InputError: it is not a speech encoder that is known here.
        SerError: files are missing or damaged.
    """
    config = _read(folder / "config.json")
    family = config.get("model_type")
    if family not in WAVES and family != WHISPER:
        raise InputError(
            f"{folder}: not a speech encoder: config.json says model_type {family!r}; those that "
            f"can be used are {', '.join(sorted({*WAVES, WHISPER}))}"
        )
    front = _front_end(folder)
    rate = front.get("sampling_rate", RATE)
    if rate != RATE:
        raise InputError(f"{folder}: takes audio at {rate} Hz; only {RATE} Hz can be given")
    try:
        if family == WHISPER:
            return _whisper(folder, config, front)
        return SpeechModel(
            folder=folder,
            family=str(family),
            dim=_count(config, "hidden_size", 768),
            layers=_count(config, "num_hidden_layers", 12),
            strides=tuple(map(int, config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2)))),
            kernels=tuple(map(int, config.get("conv_kernel", (10, 3, 3, 3, 3, 2, 2)))),
            normalise=bool(front.get("do_normalize", True)),
        )
    except (TypeError, ValueError) as error:
        raise SerError(f"{folder}: config.json makes no sense ({error})") from error


def _whisper(folder: Path, config: dict[str, Any], front: dict[str, Any]) -> SpeechModel:
    """Whisper's front: log-mel frames every 160 samples, halved by the second convolution."""
    hop = _count(front, "hop_length", 160)
    chunk = _count(front, "chunk_length", 30) * RATE // hop
    positions = _count(config, "max_source_positions", 1500)
    if chunk != 2 * positions:
        raise ValueError(
            f"{positions} positions, but the feature extractor gives {chunk} mel frames"
        )
    return SpeechModel(
        folder=folder,
        family=WHISPER,
        dim=_count(config, "d_model", 384),
        layers=_count(config, "encoder_layers", 4),
        strides=(hop, 2),
        kernels=(),
        normalise=bool(front.get("do_normalize", False)),
        chunk=chunk,
    )


def _front_end(folder: Path) -> dict[str, Any]:
    """The settings of the feature extractor."""
    path = folder / "preprocessor_config.json"
    if path.exists():
        return _read(path)
    both = folder / "processor_config.json"
    found = _read(both).get("feature_extractor") if both.exists() else None
    if not isinstance(found, dict):
        raise SerError(
            f"{folder}: has no preprocessor_config.json, which says how audio is prepared; take "
            "it from the model that this one was made from"
        )
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        raise SerError(f"{path}: missing; expected the folder of a transformers model") from None
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise SerError(f"{path}: damaged: not valid JSON ({error})") from None
    if not isinstance(values, dict):
        raise SerError(f"{path}: damaged: expected names and values")
    return values


def _count(values: dict[str, Any], name: str, default: int) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}")
    return value
