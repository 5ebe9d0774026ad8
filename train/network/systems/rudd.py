"""Dense networks on what a frozen VGG16 sees of harmonic and percussive sound, or on 129 numbers.

Rudd, Huo and Xu, *Leveraged Mel Spectrograms Using Harmonic and Percussive Components in Speech
Emotion Recognition*, 2022. The text and the released code have different networks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from ..encoders import valid
from ..spec import FeatureShape
from .system import System


def dense(
    dim: int, sizes: Sequence[int], dropouts: Sequence[float], tanh: Collection[int] = ()
) -> nn.Sequential:
    """Layers of some sizes on dim values, each with ReLU, or with the hyperbolic tangent where its
    size is among `tanh`, and a dropout."""
    layers: list[nn.Module] = []
    for before, size, dropout in zip((dim, *sizes), sizes, dropouts, strict=False):
        activation = nn.Tanh() if size in tanh else nn.ReLU()
        layers += [nn.Linear(before, size), activation, nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Rudd(System):
    """The text's: a vector for every image of an utterance, (B, P, dim), to 512 values.

    In training it sees one of the images, drawn anew every time; else all, and the mean of what the
    last hidden layer makes of them, which is the mean of their logits. Chosen here: a dropout of .5
    after the layers of 1024, of .3 after those of 512.
    """

    size = 512

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        self.layers = dense(shape.dim, (1024, 1024, 512, 512), (0.5, 0.5, 0.3, 0.3))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.training:
            drawn = (torch.rand(len(x), device=x.device) * lengths).long()
            one: Tensor = self.layers(x[torch.arange(len(x), device=x.device), drawn])
            return one
        inside = valid(lengths, x.shape[1])[..., None]
        total: Tensor = (self.layers(x) * inside).sum(1)
        return total / lengths[:, None]


class RuddCode(System):
    """The released code's: a vector, (B, dim), to 64 values.

    Chosen here is a softmax in place of the sigmoids of its last layer.
    """

    size = 64

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        self.layers = dense(shape.dim, (1024, 512, 256, self.size), (0.3,) * 4, tanh=(512,))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        hidden: Tensor = self.layers(x)
        return hidden
