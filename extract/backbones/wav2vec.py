"""`wav2vec`: the frames of wav2vec 1.0 large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import AudioError, SerError
from ...machine import inference, torch_device
from ..weights.known import WAV2VEC, digest, locate
from .backbone import Array, Backbone

if TYPE_CHECKING:
    from .wav2vec_model import Wav2VecModel


class Wav2Vec(Backbone):
    """T x 512, one frame every 10 ms: `layer=c` sees 0.8 s of the past, `layer=z` 30 ms.

    Utterances go through the model one by one: its norms run over time, and at some ten billion
    operations for a second of audio each is work enough for any device.
    """

    name = "wav2vec"
    summary = "wav2vec 1.0 large (Schneider 2019), context or latent frames"
    licence = "MIT (fairseq)"
    kind = "sequence"
    dim = 512
    frame_rate = 100.0
    defaults = {"layer": "c", "dtype": "float16"}  # noqa: RUF012 - declared as ClassVar in Backbone
    batch_rows = 16_000 * 30  # samples
    row_bytes = 900

    _SHORTEST = 465
    """Samples that give one frame."""

    def configure(self) -> None:
        self.layer = self.choice("layer", "z", "c")

    def weights(self) -> str:
        return digest(locate(WAV2VEC))

    def make_model(self) -> Wav2VecModel:
        from ..weights.wav2vec_checkpoint import read_wav2vec

        device = torch_device(self.device)
        path = locate(WAV2VEC)
        model = read_wav2vec(path)
        if (model.dim, model.hop, model.shortest) != (self.dim, 160, self._SHORTEST):
            raise SerError(
                f"{path}: a wav2vec of another size: {model.dim} channels, a frame every "
                f"{model.hop} samples; expected {self.dim} and 160"
            )
        return model.to(device)

    def prepare(self, samples: Array) -> Array:
        """Return the samples as they are, shape (samples,): this model takes them raw."""
        if len(samples) < self._SHORTEST:
            raise AudioError(f"too short: {len(samples)} samples, and {self._SHORTEST} are needed")
        return samples

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Compute the frames of utterances of shape (samples,): (frames, 512) for each."""
        import torch

        device = next(self.model.parameters()).device
        with inference(device):
            utterances = (torch.from_numpy(samples[None]).to(device) for samples in batch)
            found = (self.model(each, context=self.layer == "c")[0] for each in utterances)
            return [np.ascontiguousarray(frames.cpu().numpy()) for frames in found]
