"""`ge2e`: a 256-d speaker embedding, by the GE2E encoder whose weights Resemblyzer ships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..device import exact_float32, torch_device
from ..speaker_weights import weights_file
from .backbone import Array, Backbone
from .speech import speech_frames
from .weights import digest

if TYPE_CHECKING:
    from ..speaker_encoder import SpeakerEncoder


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

    _encoder: SpeakerEncoder | None = None

    def weights(self) -> str:
        """The sha256 of Resemblyzer's `pretrained.pt`."""
        return digest(weights_file())

    def load(self) -> None:
        """Read the weights and move the encoder to the device.

        Raises:
            MissingPackageError: Resemblyzer is not installed.
            SerError: its weights are not what they should be.
            InputError: there is no such device.
        """
        from ..speaker_encoder import published

        device = torch_device(self.device)
        self._encoder = published(weights_file()).to(device).eval()

    def prepare(self, samples: Array) -> Array:
        """Return the mel frames of the speech, shape (frames, 40); see `speech_frames`."""
        return speech_frames(samples)

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Embed utterances of shape (frames, 40): one vector, (256,), for each."""
        import torch

        if self._encoder is None:
            self.load()
        encoder = self._encoder
        assert encoder is not None
        device = encoder.linear.weight.device
        with torch.inference_mode(), exact_float32():
            frames = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in batch]
            embedded: Array = encoder.embed(frames).cpu().numpy()
        return list(embedded)
