"""Whisper's front end: log-mel frames of 30 s at a time, without carrying the padding about."""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import Any

import numpy as np
from msgspec.structs import asdict

from ...machine import one_torch_thread
from ..audio import RATE
from ..packages import need
from .backbone import Array
from .speech_models import SpeechModel
from .speech_settings import WhisperFront

_TAIL = 3
"""Frames kept after the last that begins in the utterance: two that its end still reaches, one of
silence, which all further padding equals."""


def mel_chunks(samples: Array, model: SpeechModel) -> Array:
    """Log-mel frames by the model's own feature extractor, piece after piece of 30 s.

    Each piece is prepared for itself, padded to 30 s with zeros, and cut back. All pieces but the
    last have `model.chunk` frames; the last has those that begin in the utterance and three more:
    (frames, bands).
    """
    extractor = _extractor(model.front)
    hop = model.strides[0]
    length = model.chunk * hop
    rows = []
    for start in range(0, len(samples), length):
        piece = samples[start : start + length]
        with one_torch_thread():
            found = extractor(piece, sampling_rate=RATE, return_tensors="np", padding="max_length")
        rows.append(np.asarray(found["input_features"][0], dtype=np.float32).T)
    last = ceil((len(samples) - (len(rows) - 1) * length) / hop)
    rows[-1] = np.pad(rows[-1], ((0, _TAIL), (0, 0)), mode="edge")[: last + _TAIL]
    return np.ascontiguousarray(np.concatenate(rows))


def split_chunks(mel: Array, chunk: int) -> list[tuple[Array, int]]:
    """Undo `mel_chunks`: full pieces of shape (chunk, bands), and the rows each is to give.

    The encoder's second convolution halves the frame rate.
    """
    frames = len(mel) - _TAIL
    pieces = []
    for start in range(0, frames, chunk):
        piece = mel[start : start + chunk]
        piece = np.pad(piece, ((0, chunk - len(piece)), (0, 0)), mode="edge")
        pieces.append((piece, ceil(min(chunk, frames - start) / 2)))
    return pieces


@cache
def _extractor(front: WhisperFront) -> Any:
    settings = asdict(front)
    del settings["feature_extractor_type"]
    return need("transformers", extra="hf").WhisperFeatureExtractor(**settings)
