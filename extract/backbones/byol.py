"""`byol`: the 2048-d embedding of BYOL-S."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import AudioError
from ...machine import inference, torch_device
from ..weights.known import BYOL, digest, locate
from .backbone import Array, Backbone
from .spectrum import mel_power

if TYPE_CHECKING:
    from .audio_ntt import AudioNtt2020

MEL: Mapping[str, Any] = {
    "fmax": 7800.0,
    "fmin": 60.0,
    "hop_length": 160,
    "mel_scale": "htk",
    "n_fft": 1024,
    "n_mels": 64,
    "win_length": 400,
}
_SHORTEST = 7 * MEL["hop_length"]
"""Samples that give the eight frames of one time step."""


class Byol(Backbone):
    """The embedding of an utterance by BYOL-S, model `default2048`: mean plus maximum over time.

    `mean` and `deviation` normalise the log-mel spectrogram, the same for every utterance (the
    released wrapper takes them from the list of files that it is given). The defaults are those
    that SERAB found for IEMOCAP, the largest of the paper's corpora.
    """

    name = "byol"
    summary = "BYOL-S embedding (AudioNTT2020, default2048)"
    licence = "MIT (serab-byols)"
    kind = "vector"
    dim = 2048
    defaults = {"mean": -5.7522, "deviation": 3.4033}  # noqa: RUF012 - ClassVar in Backbone
    constants = MEL
    batch_rows = 5_000  # 10 ms frames
    row_bytes = 32_000

    def configure(self) -> None:
        self.mean = self.within("mean", -100.0, 100.0)
        self.deviation = self.within("deviation", 0.01, 100.0)

    def weights(self) -> str:
        return digest(locate(BYOL))

    def make_model(self) -> AudioNtt2020:
        from ...checkpoints import load_state, read_checkpoint
        from .audio_ntt import AudioNtt2020

        device = torch_device(self.device)
        path = locate(BYOL)
        model = AudioNtt2020()
        what = "the state of BYOL-S default2048 (AudioNTT2020)"
        load_state(model, read_checkpoint(path, what), ("",), path, what)
        return model.to(device).eval()

    def prepare(self, samples: Array) -> Array:
        """Return the normalised log-mel spectrogram, shape (1 + samples // 160, 64)."""
        if len(samples) < _SHORTEST:
            raise AudioError(f"too short: {len(samples)} samples, and {_SHORTEST} are needed")
        mel = mel_spectrogram(samples)
        eps = np.finfo(np.float32).eps
        normal: Array = (np.log(mel + eps) - np.float32(self.mean)) / np.float32(self.deviation)
        return normal

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Embed utterances of shape (frames, 64): one vector, (2048,), for each."""
        import torch

        device = next(self.model.parameters()).device
        with inference(device):
            images = [torch.from_numpy(image).to(device) for image in batch]
            embedded: Array = self.model(images).cpu().numpy()
        return list(embedded)


def mel_spectrogram(samples: Array) -> Array:
    """Power per mel band as torchaudio's `MelSpectrogram` has it, which BYOL-S was trained with:
    (samples,), more than 512, to (1 + samples // 160, 64).

    That is: a periodic Hann window of 25 ms in the middle of 64 ms, centred frames, the signal
    mirrored beyond both ends, HTK's mel scale, triangles of height 1.
    """
    return mel_power(samples, mode="reflect", **MEL)
