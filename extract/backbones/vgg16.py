"""`vgg16`: what VGG16, trained on photographs, sees in images of harmonic and percussive sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...machine import inference, torch_device
from ..audio import RATE
from ..weights.known import VGG16, digest, locate
from .backbone import Array
from .hpss import BANDS, Hpss

if TYPE_CHECKING:
    from torch import Tensor

    from .vgg16_model import Vgg16Model

_FRAMES = 128
"""Of an image."""
_STEP = 64
"""Frames from one image to the next."""
_RANGE = 80.0
"""Decibels from black to white."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue of the photographs, which the published weights expect to be taken out."""
_TOGETHER = 4
"""Images that go through the network at once."""


class Vgg16(Hpss):
    """P x 8192: the maps after the last pool of VGG16, a row for each image of 128 frames.

    An image begins every 64 frames; the last, or the only one, is filled up with silence. So rows
    are the overlapping pieces of Rudd et al. (2022), and a network can be trained on pieces as well
    as on utterances. An image has 128 mel bands x 128 frames x 3: the harmonic and the percussive
    part as `hpss` has them, and, since VGG16 wants three, the whole sound in the same way. From
    black to white are the 80 dB below the loudest value of the utterance.

    A row is 512 channels x 4 x 4 (bands, frames), flattened in this order, before any dense layer.
    The authors write of 2048 numbers from an image of 128 x 128: so many are those of 64 x 64.
    """

    name = "vgg16"
    summary = "VGG16 (ImageNet) on images of harmonic and percussive sound"
    licence = "BSD-3-Clause (torchvision)"
    dim = 512 * (BANDS // 32) * (_FRAMES // 32)
    defaults = {**Hpss.defaults, "dtype": "float16"}  # noqa: RUF012
    constants = {  # noqa: RUF012
        **Hpss.constants,
        "channels": "harmonic, percussive, whole",
        "frames": _FRAMES,
        "step": _STEP,
        "range": _RANGE,
    }
    batch_rows = 1_000  # frames

    def configure(self) -> None:
        super().configure()
        self.frame_rate = RATE / (self.hop_length * _STEP)

    def weights(self) -> str:
        return digest(locate(VGG16))

    def make_model(self) -> Vgg16Model:
        from ...checkpoints import load_state, read_checkpoint
        from .vgg16_model import Vgg16Model

        device = torch_device(self.device)
        path = locate(VGG16)
        what = "the state of VGG16 (torchvision)"
        model = Vgg16Model()
        load_state(model, read_checkpoint(path, what), ("features.",), path, what)
        return model.to(device).eval()

    def prepare(self, samples: Array) -> Array:
        """Return the utterance as one long image, 0 to 1: (1 + samples // hop_length, 3, 128)."""
        whole = self.magnitudes(samples)
        channels = [self.bands(part) for part in (*self.separate(whole), whole)]
        image = np.stack(channels, axis=1)
        scaled: Array = np.maximum(0, 1 + (image - image.max()) / np.float32(_RANGE))
        return scaled

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Compute the maps of long images, (frames, 3, 128): (images, 8192) for each."""
        import torch

        device = next(self.model.parameters()).device
        mean, std = (torch.tensor(rgb)[:, None, None] for rgb in (_MEAN, _STD))

        def maps(images: Array) -> Tensor:
            normal = (torch.from_numpy(np.ascontiguousarray(images)) - mean) / std
            found: Tensor = self.model(normal.to(device)).flatten(1).cpu()
            return found

        with inference(device):
            return [torch.cat([*map(maps, cut(image, _TOGETHER))]).numpy() for image in batch]

    def memory(self, rows: int) -> int:
        """Bytes for the images that go through at once, and for the frames."""
        return 200_000_000 + 4_000 * rows


def cut(image: Array, most: int) -> Iterator[Array]:
    """Cut a long image, (frames, 3, bands), into 1 + ceil((frames - 128) / 64) images, at least
    one, the last filled up with black: (n, 3, bands, 128), `most` at a time."""
    more = max(0, -(-(len(image) - _FRAMES) // _STEP))
    padded = np.pad(image, ((0, _FRAMES + more * _STEP - len(image)), (0, 0), (0, 0)))
    images = np.lib.stride_tricks.sliding_window_view(padded, _FRAMES, axis=0)[::_STEP]
    return (images[start : start + most] for start in range(0, len(images), most))
