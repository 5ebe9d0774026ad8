"""What a published network is here, and how it hears utterances of any length."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..spec import FeatureShape


class System(nn.Module):
    """A network of its own on one feature: all but its last layer, and what makes that.

    Args:
        shape: of the feature, as the method says that it reads it.

    Attributes:
        size: of the representation that enters the last layer.
        frames: that it hears at once; 0: all of an utterance.
    """

    size: int
    frames: int = 0

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Represent utterances, each as it would be alone.

        Args:
            x: standardised, (B, L, dim) with zeros as padding, or (B, dim) of a vector.
            lengths: (B,).

        Returns:
            (B, size).
        """
        raise NotImplementedError

    def head(self, classes: int) -> nn.Module:
        """A new last layer, (B, size) -> logits (B, classes)."""
        return nn.Linear(self.size, classes)


def beginning(x: Tensor, frames: int) -> Tensor:
    """The first frames of utterances, those of shorter ones filled up with zeros: (B, L, dim) ->
    (B, frames, dim)."""
    # Without a look at the length, which an exporter would take for one of all utterances.
    return nn.functional.pad(x[:, :frames], (0, 0, 0, frames))[:, :frames]


def ending(x: Tensor, lengths: Tensor, frames: int) -> Tensor:
    """The last frames, likewise; of an utterance that is not longer, its beginning."""
    start = (lengths - frames).clamp(min=0)
    places = start[:, None] + torch.arange(frames, device=x.device)
    inside = places < x.shape[1]
    taken = x.gather(1, (places * inside)[..., None].expand(-1, -1, x.shape[2]))
    return taken * inside[..., None]


class BothEnds(System):
    """A network that hears pieces of one length: the beginning and the end of a longer utterance,
    which overlap up to twice that length.

    In training it hears one of the two, drawn anew every time; else both, and what the last layer
    says of an utterance is the mean of the probabilities. All are pieces of their utterance, so
    none is ever in another part than the others.

    Attributes:
        frames: of a piece.
    """

    def represent(self, pieces: Tensor) -> Tensor:
        """(B, frames, dim) -> (B, size)."""
        raise NotImplementedError

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """As `System.forward`; outside of training (B, 2 size), the representations of both."""
        first, longer = beginning(x, self.frames), lengths > self.frames
        if self.training:
            end = longer & (torch.rand(len(x), device=x.device) < 0.5)
            return self.represent(
                torch.where(end[:, None, None], ending(x, lengths, self.frames), first)
            )
        found = self.represent(first)
        both = torch.stack([found, found], dim=1)
        if longer.any():
            both[longer, 1] = self.represent(ending(x[longer], lengths[longer], self.frames))
        return both.flatten(1)

    def head(self, classes: int) -> nn.Module:
        return MeanOfPieces(self.size, self.last(classes))

    def last(self, classes: int) -> nn.Module:
        """A new last layer for pieces, (..., size) -> logits (..., classes)."""
        return nn.Linear(self.size, classes)


class MeanOfPieces(nn.Module):
    """What the last layer says of k pieces of an utterance: (B, k size) -> the logarithm of the
    mean of their probabilities (B, classes)."""

    def __init__(self, size: int, last: nn.Module) -> None:
        super().__init__()
        self.size, self.last = size, last

    def forward(self, representations: Tensor) -> Tensor:
        pieces = representations.view(len(representations), -1, self.size)
        said: Tensor = self.last(pieces).log_softmax(-1)
        return said.logsumexp(1) - math.log(pieces.shape[1])
