"""`ge2e`: a 256-d speaker embedding, by the GE2E encoder whose weights Resemblyzer ships.

And `ge2e_mel`: the frames that the encoder sees, so that it can be tuned without audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...ge2e.weights import weights_file
from ...machine import inference, torch_device
from ..weights.known import digest
from .backbone import Array, Backbone
from .speech import BANDS, speech_frames

if TYPE_CHECKING:
    from torch import Tensor

    from ...ge2e.encoder import SpeakerEncoder


class Ge2e(Backbone):
    """The embedding of an utterance, a unit vector: `VoiceEncoder.embed_utterance` of Resemblyzer.

    The package itself is never imported, only its weights are read.
    """

    name = "ge2e"
    summary = "GE2E speaker embedding (Resemblyzer)"
    licence = "Apache-2.0 (Resemblyzer)"
    package = "Resemblyzer"
    kind = "vector"
    dim = 256
    batch_rows = 5_000  # 10 ms frames
    row_bytes = 1_500
    exact_batches = True

    AT_ONCE = 16
    """Windows that go through the encoder together on a CPU, filled up with zeros, always as many:
    so every sum is over the same shape, and a row has the same bits whatever the others are."""

    _at_once = AT_ONCE

    def weights(self) -> str:
        return digest(weights_file())

    def make_model(self) -> SpeakerEncoder:
        from ...ge2e.encoder import published

        device = torch_device(self.device)
        encoder = published(weights_file()).to(device).eval()
        if device.type == "cpu" and not rows_stand_alone(encoder, self.AT_ONCE):
            self._at_once = 1
        return encoder

    def prepare(self, samples: Array) -> Array:
        """Return the mel frames of the speech, shape (frames, 40); see `speech_frames`."""
        return speech_frames(samples)

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Embed utterances of shape (frames, 40): one vector, (256,), for each."""
        import torch

        encoder: SpeakerEncoder = self.model
        device = encoder.linear.weight.device
        with inference(device):
            frames = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in batch]
            if device.type == "cpu":
                return [vector.numpy() for vector in _embed_exactly(encoder, frames, self._at_once)]
            embedded: Array = encoder.embed(frames).cpu().numpy()
        return list(embedded)


class Ge2eMel(Backbone):
    """T x 40: what Resemblyzer feeds its LSTM, after volume normalisation and trimming.

    `SpeakerEncoder.embed` makes the feature `ge2e` of it. Rows count the time of the speech that
    trimming left, not of the file.
    """

    name = "ge2e_mel"
    summary = "40 mel bands of the trimmed speech, the input of ge2e"
    licence = "Apache-2.0 (Resemblyzer)"
    kind = "sequence"
    dim = BANDS
    frame_rate = 100.0

    def prepare(self, samples: Array) -> Array:
        """Return the mel frames of the speech, shape (frames, 40); see `speech_frames`."""
        return speech_frames(samples)


def _embed_exactly(
    encoder: SpeakerEncoder, utterances: Sequence[Tensor], at_once: int
) -> list[Tensor]:
    """`SpeakerEncoder.embed`, in calls of one shape."""
    import torch

    from ...ge2e.encoder import split_windows, unit_rows

    parts = [split_windows(frames) for frames in utterances]
    windows = torch.cat(parts)
    lacking = -len(windows) % at_once
    filled = torch.cat((windows, windows.new_zeros(lacking, *windows.shape[1:])))
    embedded = torch.cat([encoder(some) for some in torch.split(filled, at_once)])[: len(windows)]
    means = [own.mean(dim=0, keepdim=True) for own in torch.split(embedded, list(map(len, parts)))]
    return [unit_rows(mean)[0] for mean in means]


def rows_stand_alone(encoder: SpeakerEncoder, at_once: int) -> bool:
    """Whether a window's embedding has the same bits wherever it stands in a call, and beside
    whatever else, on this processor: its libraries choose how to add by shapes, and it might be by
    more than that."""
    import torch

    from ...ge2e.encoder import WINDOW

    draw = torch.Generator().manual_seed(0)
    windows = torch.rand(at_once, WINDOW, encoder.lstm.input_size, generator=draw) ** 8
    with inference(windows.device):
        first = encoder(windows)
        moved = encoder(windows.roll(1, dims=0)).roll(-1, dims=0)
        padded = encoder(torch.cat((windows[:1], torch.zeros_like(windows[1:]))))
    return torch.equal(first, moved) and torch.equal(first[0], padded[0])
