"""The GE2E speaker encoder as a torch module: frames in, embedding out.

Wan, Wang, Papir, Lopez Moreno: Generalized End-to-End Loss for Speaker Verification (2018), with
the sizes of Resemblyzer's published weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints import load_state, read_checkpoint
from ..errors import SerError

WINDOW = 160
"""Frames that the LSTM sees at a time: 1.6 s."""
STEP = 77
"""Frames between windows: 1.3 windows per second, rounded to a frame."""
COVERAGE = 120
"""Frames of speech that a last window must have to count: three quarters."""


class SpeakerEncoder(nn.Module):
    """LSTM 40 -> 3 x 256, linear 256 -> 256, ReLU, L2 norm."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, windows: Tensor) -> Tensor:
        """Embed windows of shape (windows, 160, 40); returns unit vectors, (windows, 256)."""
        _, (hidden, _) = self.lstm(windows)
        return unit_rows(torch.relu(self.linear(hidden[-1])))

    def embed(self, utterances: Sequence[Tensor], max_windows: int = 256) -> Tensor:
        """Embed whole utterances: the mean over their windows, normalised.

        Args:
            utterances: frames, each of shape (frames, 40); zeros are taken to follow.
            max_windows: how many windows go through the LSTM at once, which bounds the memory.

        Returns:
            Unit vectors, shape (utterances, 256).
        """
        parts = [split_windows(frames) for frames in utterances]
        windows = torch.cat(parts)
        chunks = range(0, len(windows), max_windows)
        embedded = torch.cat([self(windows[i : i + max_windows]) for i in chunks])
        ends = list(accumulate(len(part) for part in parts))
        means = [embedded[i:j].mean(dim=0) for i, j in pairwise([0, *ends])]
        return unit_rows(torch.stack(means))

    def embed_padded(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The same for a padded batch: frames (B, L, 40) and lengths (B,) to (B, 256)."""
        return self.embed([part[:count] for part, count in zip(frames, lengths, strict=True)])


def unit_rows(vectors: Tensor) -> Tensor:
    """Scale rows to length 1."""
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / norms


def split_windows(frames: Tensor) -> Tensor:
    """Cut an utterance's frames, (frames, 40), into overlapping windows, (windows, 160, 40)."""
    starts = window_starts(len(frames))
    padding = max(0, starts[-1] + WINDOW - len(frames))
    padded = nn.functional.pad(frames, (0, 0, 0, padding))
    return torch.stack([padded[start : start + WINDOW] for start in starts])


def window_starts(frames: int) -> list[int]:
    """Where the windows of an utterance begin; there is always at least one.

    Args:
        frames: all that reach into the speech; the last one is centred after its end.
    """
    inside = frames - 1
    starts = list(range(0, max(1, inside - WINDOW + STEP + 1), STEP))
    if len(starts) > 1 and inside - starts[-1] <= COVERAGE:
        starts.pop()
    return starts


_LAYERS = ("lstm.", "linear.")
_WHAT = "the weights of the GE2E speaker encoder"
_REMEDY = "Reinstall the package Resemblyzer"


def published(path: Path) -> SpeakerEncoder:
    """The encoder with Resemblyzer's weights, on the CPU.

    Raises:
        SerError: the file is not what it should be, or cannot be read.
    """
    checkpoint = read_checkpoint(path, _WHAT, remedy=_REMEDY)
    state = checkpoint.get("model_state") if isinstance(checkpoint, Mapping) else checkpoint
    encoder = SpeakerEncoder()
    try:
        # The two scalars of the training loss are in the file too.
        load_state(encoder, state, _LAYERS, path, _WHAT)
    except SerError as error:
        raise SerError(f"{error}. {_REMEDY}") from error
    return encoder
