"""A capsule network with the Cauchy-Schwarz loss.

Ng and Liu, *The Investigation of Different Loss Functions with Capsule Networks for Speech Emotion
Recognition*, 2021: convolution, primary capsules, dynamic routing (Sabour et al., 2017). Sizes of
layers are not known, and chosen here, small enough for a processor without a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..spec import FeatureShape
from .system import BothEnds

PRIMARY, PER_CLASS = 8, 16
"""Values of a capsule."""

KINDS = 4
"""Of primary capsules, at every place of the image."""

ITERATIONS = 3
"""Of the routing."""

LEAST = 1e-12


def squash(vectors: Tensor) -> Tensor:
    """Vectors of the same directions, shorter than 1: |s|^2 / (1 + |s|^2) s / |s|."""
    square = vectors.square().sum(-1, keepdim=True)
    return vectors * square.clamp(min=LEAST).sqrt() / (1 + square)


class Capsules(BothEnds):
    """Pieces of three seconds, 300 frames of 64 log-mels, to 304 primary capsules."""

    frames = 300
    size = 19 * 4 * KINDS * PRIMARY

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 64, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(64, 64, 5, stride=2, padding=2), nn.ReLU()),
            nn.Conv2d(64, KINDS * PRIMARY, 5, stride=4, padding=2),
        )

    def represent(self, pieces: Tensor) -> Tensor:
        maps = self.convolutions(pieces[:, None]).permute(0, 2, 3, 1)
        return squash(maps.reshape(len(pieces), -1, PRIMARY)).flatten(1)

    def last(self, classes: int) -> nn.Module:
        return Routing(self.size // PRIMARY, classes)


class Routing(nn.Module):
    """Dynamic routing from n primary capsules to one a class: (..., 8 n) -> logits (..., classes).

    The Cauchy-Schwarz loss of class capsules of lengths p is -log(p_t / |p|), which is half the
    cross-entropy of the logits 2 log p: the softmax of these is p^2 / |p|^2. So these are the
    logits, and the loss is that of all networks.
    """

    def __init__(self, capsules: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(capsules, classes, PRIMARY, PER_CLASS))

    def forward(self, primary: Tensor) -> Tensor:
        vectors = primary.view(*primary.shape[:-1], -1, PRIMARY)
        votes = torch.einsum("...nd,ncde->...nce", vectors, self.weight)
        agreement = torch.zeros_like(votes[..., 0])
        for _ in range(ITERATIONS - 1):  # what is agreed on is no path for gradients
            shares = agreement.softmax(-1)
            found = squash((shares[..., None] * votes.detach()).sum(-3))
            agreement = agreement + (votes.detach() * found.unsqueeze(-3)).sum(-1)
        found = squash((agreement.softmax(-1)[..., None] * votes).sum(-3))
        return found.square().sum(-1).clamp(min=LEAST).log()
