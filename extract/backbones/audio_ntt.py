"""AudioNTT2020 as a torch module: log-mel images in, embeddings out.

Niizumi et al.: BYOL for Audio (2021); the sizes of BYOL-S (Scheidwasser-Clow et al.: SERAB, 2022),
model `default2048`, and the names of its state. Depends on torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BANDS = 64
DIM = 2048
POOLED = 8
"""Frames that become one time step; what is left over at the end is dropped."""
_CHANNELS = 64


class AudioNtt2020(nn.Module):
    """Three convolutions that halve time and bands, two linear layers, mean plus maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_block(1), *_block(_CHANNELS), *_block(_CHANNELS))
        self.fc = nn.Sequential(
            nn.Linear(_CHANNELS * BANDS // POOLED, DIM),
            nn.ReLU(),
            nn.Identity(),  # in training: dropout
            nn.Linear(DIM, DIM),
            nn.ReLU(),
        )

    def forward(self, images: Sequence[Tensor]) -> Tensor:
        """Normalised log-mel spectrograms, each (frames, 64), at least 8, to (utterances, 2048).

        The convolutions see one utterance at a time, for zeros around them are part of the numbers,
        and padding would take their place; the linear layers see all time steps together.
        """
        steps = [self._steps(image) for image in images]
        embedded = self.fc(torch.cat(steps)).split([len(part) for part in steps])
        return torch.stack([part.mean(dim=0) + part.amax(dim=0) for part in embedded])

    def _steps(self, image: Tensor) -> Tensor:
        """The time steps of one utterance, (steps, 512): band by band all channels."""
        maps: Tensor = self.features(image.T[None, None])[0]
        return maps.permute(2, 1, 0).flatten(1)


def _block(channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, _CHANNELS, 3, padding=1),
        nn.BatchNorm2d(_CHANNELS),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    ]
