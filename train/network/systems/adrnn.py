"""ADRNN: dilated convolutions with a residual block, BiLSTM and attention, on 3-D log-mels.

Meng, Yan, Yuan and Wei, *Speech Emotion Recognition From 3D Log-Mel Spectrograms With Deep Learning
Network*, 2019. There is no public code. Sizes that are not known of it are those of its forerunner
(Chen et al., *3-D Convolutional Recurrent Neural Networks With Attention Model*, 2018): kernels,
channels, pooling, the linear layer, BiLSTM, attention and dense layer. Of neither are known, and
chosen here: the residual block of two convolutions, to 128 and 256 channels, whose dilation over
time is 2 and 4, with a projection beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..spec import FeatureShape
from .system import BothEnds

BANDS, PLANES = 40, 3
"""Of the image: log-mels, their deltas, and the deltas of these."""

SLOPE = 0.01
"""Of the leaky ReLU."""


class Dilated(nn.Module):
    """Two dilated convolutions over time beside a projection, added: (B, in, T, F) -> (B, out, T,
    F)."""

    def __init__(self, channels: int, out: int, rates: tuple[int, int] = (2, 4)) -> None:
        super().__init__()
        first, second = rates
        self.first = nn.Conv2d(
            channels, channels, (5, 3), padding=(2 * first, 1), dilation=(first, 1)
        )
        self.second = nn.Conv2d(
            channels, out, (5, 3), padding=(2 * second, 1), dilation=(second, 1)
        )
        self.beside = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        deep = self.second(nn.functional.leaky_relu(self.first(x), SLOPE))
        return nn.functional.leaky_relu(deep + self.beside(x), SLOPE)


class Attention(nn.Module):
    """The mean of a sequence, weighted by softmax(w h): (B, T, dim) -> (B, dim)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, sequence: Tensor) -> Tensor:
        weighted: Tensor = self.score(sequence).softmax(1) * sequence
        return weighted.sum(1)


class Adrnn(BothEnds):
    """Pieces of three seconds, 300 frames of 3 x 40 values, to representations of 64."""

    frames = 300
    size = 64

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        convolutions = nn.Sequential(
            nn.Conv2d(PLANES, 128, (5, 3), padding=(2, 1)),
            nn.MaxPool2d((2, 4)),
            nn.LeakyReLU(SLOPE),  # It rises: the pool may as well come first, and leaves it less.
            Dilated(128, 256),
        )
        # With the channels of a place side by side in memory, which is quicker. Batch norms would
        # lose digits that way; here is none before the linear layer.
        self.convolutions = convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.linear = nn.Linear(256 * BANDS // 4, 768)
        self.norm = nn.BatchNorm1d(768)
        self.lstm = nn.LSTM(768, 128, batch_first=True, bidirectional=True)
        self.attention = Attention(2 * 128)
        self.dense = nn.Linear(2 * 128, self.size)

    def represent(self, pieces: Tensor) -> Tensor:
        planes = pieces.view(*pieces.shape[:2], PLANES, BANDS).transpose(1, 2)
        steps = self.linear(self.convolutions(planes).transpose(1, 2).flatten(2))
        normed = self.norm(steps.transpose(1, 2)).transpose(1, 2)
        sequence, _ = self.lstm(nn.functional.leaky_relu(normed, SLOPE))
        return nn.functional.leaky_relu(self.dense(self.attention(sequence)), SLOPE)
