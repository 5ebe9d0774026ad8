"""`ge2e`: a 256-d speaker embedding, by the GE2E encoder whose weights Resemblyzer ships."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..device import exact_float32, torch_device
from ..errors import MissingPackageError, SerError
from .backbone import Array, Backbone
from .speech import speech_frames

if TYPE_CHECKING:
    from .speaker_encoder import SpeakerEncoder


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
        return hashlib.sha256(weights_file().read_bytes()).hexdigest()

    def load(self) -> None:
        """Read the weights and move the encoder to the device.

        Raises:
            MissingPackageError: Resemblyzer is not installed.
            SerError: its weights are not what they should be.
            InputError: there is no such device.
        """
        import torch

        from .speaker_encoder import SpeakerEncoder

        device = torch_device(self.device)
        path = weights_file()
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            state = checkpoint["model_state"]
            encoder = SpeakerEncoder()
            # The two scalars of the training loss are in the file too.
            encoder.load_state_dict(
                {name: value for name, value in state.items() if name.startswith(_LAYERS)}
            )
        except Exception as error:  # torch raises what it likes on a damaged file
            raise SerError(
                f"{path}: not the weights of the GE2E speaker encoder ({error}); "
                "reinstall the package Resemblyzer"
            ) from error
        self._encoder = encoder.to(device).eval()

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


_LAYERS = ("lstm.", "linear.")


def weights_file() -> Path:
    """Where Resemblyzer's weights are, without importing it (which is slow, noisy and can fail).

    Raises:
        MissingPackageError: it is not installed, or has lost its weights.
    """
    package = find_spec("resemblyzer")
    folders = (package.submodule_search_locations if package else None) or []
    for folder in folders:
        path = Path(folder) / "pretrained.pt"
        if path.is_file():
            return path
    if folders:
        raise MissingPackageError(
            f"feature ge2e: {folders[0]} has lost its weights, pretrained.pt: "
            'pip install --force-reinstall --no-deps "resemblyzer==0.1.4"'
        )
    raise MissingPackageError(
        "feature ge2e: its weights are in the package Resemblyzer, which is not installed: "
        'pip install "ser[extract]"'
    )
