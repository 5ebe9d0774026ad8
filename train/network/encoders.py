"""From one cached feature of an utterance to a 256-d representation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .settings import NARROWEST

SIZE = 256
"""Size of every representation."""


WIDE = 1024
"""Values of a vector beyond which its encoder begins by making it smaller."""


class Standardise(nn.Module):
    """Shift and scale inputs by mean and standard deviation of the training part, or of what was
    heard of a speaker, shrunk towards them by how much that was.

    Args:
        dim: of the input.
        groups: how many sets of statistics there are.
        shrinkage: k, utterances of a speaker that count as much as the training part.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int, groups: int = 1, shrinkage: float = 0.0) -> None:
        super().__init__()
        self.shrinkage = shrinkage
        self.register_buffer("mean", torch.zeros(groups, dim))
        self.register_buffer("std", torch.ones(groups, dim))

    def fit(self, group: int, mean: Tensor, std: Tensor) -> None:
        """Take over the statistics of a group, two (dim,) tensors."""
        self.mean[group] = mean
        self.std[group] = std

    def forward(
        self, x: Tensor, group: int = 0, speaker: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Standardise (B, dim) or (B, L, dim).

        With w = n / (n + k): mean' = w m + (1 - w) mean, std'^2 = w s^2 + (1 - w) std^2, and std'
        at least a tenth of std.

        Args:
            speaker: mean m and standard deviation s of what was heard of each one's speaker
                (B, 2, dim), and the number n of utterances that was (B,).
        """
        mean, std = self.mean[group], self.std[group]
        if speaker is None:
            return (x - mean) / std
        moments, counts = speaker
        weight = (counts / (counts + self.shrinkage).clamp(min=1e-9))[:, None]
        mean = weight * moments[:, 0] + (1 - weight) * mean
        square = weight * moments[:, 1].square() + (1 - weight) * std.square()
        std = square.sqrt().maximum(NARROWEST * std)
        if x.dim() == 3:
            mean, std = mean[:, None], std[:, None]
        return (x - mean) / std


def valid(lengths: Tensor, longest: int) -> Tensor:
    """Mask of the frames that are not padding: (B, longest), bool."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def flip(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence of (B, L, D) within its own length; padding stays where it is."""
    steps = torch.arange(x.shape[1], device=x.device)
    places = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    first = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    flipped: Tensor = _Swapped.apply(x, (first + places).flatten())  # type: ignore[no-untyped-call]
    return flipped


class _Swapped(torch.autograd.Function):
    """The rows of (B, L, D) in another order that is its own inverse.

    The gradient is then the same selection; what torch knows of it is a sum over places, slower.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.flatten(0, 1).index_select(0, order).view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradient.flatten(0, 1).index_select(0, order).view_as(gradient), None


class BiLSTM(nn.Module):
    """Bidirectional LSTM over padded batches, exact for every length.

    The backward direction is a forward LSTM over sequences flipped within their lengths, so that
    padding always comes last; on a CPU this runs at the speed of a padded LSTM.
    """

    def __init__(self, dim: int, hidden: int, layers: int) -> None:
        super().__init__()
        dims = [dim] + [2 * hidden] * (layers - 1)
        self.ahead = nn.ModuleList(nn.LSTM(d, hidden, batch_first=True) for d in dims)
        self.back = nn.ModuleList(nn.LSTM(d, hidden, batch_first=True) for d in dims)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, dim) -> the top layer's outputs (B, L, 2 hidden) and last states (B, 2 hidden)."""
        for ahead, back in zip(self.ahead, self.back, strict=True):
            forward, _ = ahead(x)
            backward, _ = back(flip(x, lengths))
            x = torch.cat([forward, flip(backward, lengths)], dim=-1)
        last = (lengths - 1)[:, None, None].expand(-1, 1, forward.shape[-1])
        state = torch.cat([forward.gather(1, last), backward.gather(1, last)], dim=-1)
        return x, state[:, 0]


class Attention(nn.Module):
    """Scaled dot-product attention of one query over a sequence (eq. 1-2).

    With a single query the projections of keys and values can change places with the sums:
    (zQ)(HK)' = (zQK')H' and softmax(.)(HV) = (softmax(.)H)V, so nothing is projected per frame.
    """

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, size, bias=False)
        self.key = nn.Linear(dim, size, bias=False)
        self.value = nn.Linear(dim, size, bias=False)

    def forward(self, state: Tensor, outputs: Tensor, mask: Tensor) -> Tensor:
        """state (B, dim), outputs (B, L, dim), mask (B, L) of valid frames -> (B, size)."""
        query = self.query(state) @ self.key.weight * self.key.out_features**-0.5
        scores = (outputs @ query[..., None])[..., 0].masked_fill(~mask, -torch.inf)
        attended = (scores.softmax(-1)[:, None] @ outputs)[:, 0]
        result: Tensor = self.value(attended)
        return result


class SequenceEncoder(nn.Module):
    """Convolutions of kernel 3 and 5, added; BiLSTM; attention with its last state as query."""

    def __init__(self, dim: int, filters: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.narrow = nn.Conv1d(dim, filters, 3, padding=1)
        self.wide = nn.Conv1d(dim, filters, 5, padding=2)
        self.lstm = BiLSTM(filters, hidden, layers)
        self.attention = Attention(2 * hidden, SIZE)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, L, dim) with zeros as padding -> (B, 256)."""
        # One convolution whose kernel is the sum does what two convolutions added would.
        kernel = self.wide.weight + F.pad(self.narrow.weight, (1, 1))
        assert self.wide.bias is not None
        assert self.narrow.bias is not None
        bias = self.wide.bias + self.narrow.bias
        h = F.conv1d(x.transpose(1, 2), kernel, bias, padding=2).transpose(1, 2)
        outputs, state = self.lstm(h, lengths)
        z: Tensor = self.attention(state, outputs, valid(lengths, x.shape[1]))
        return z


class PrincipalComponents(nn.Module):
    """A wide vector by the directions in which the training part varies most; they are not trained.

    Args:
        components: how many; a part that varies in fewer directions leaves the last ones at 0.
    """

    axes: Tensor

    def __init__(self, dim: int, components: int) -> None:
        super().__init__()
        self.register_buffer("axes", torch.zeros(dim, components))

    def fit(self, values: Tensor) -> None:
        """Take over the axes of standardised values (n, dim), scaled alike, so that the mean square
        of all components is 1."""
        values = values.double()
        few = len(values) < values.shape[1]  # then the axes are found among combinations of rows
        variances, vectors = torch.linalg.eigh(values @ values.T if few else values.T @ values)
        variances = variances.flip(0)[: self.axes.shape[1]]
        vectors = vectors.flip(1)[:, : self.axes.shape[1]]
        kept = variances > 1e-9 * variances[0].clamp(min=1e-9)
        variances, vectors = variances[kept], vectors[:, kept]
        axes = values.T @ vectors / variances.sqrt() if few else vectors
        signs = axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
        scale = (len(values) * self.axes.shape[1] / variances.sum()).sqrt()
        self.axes.zero_()
        self.axes[:, : len(variances)] = (scale * signs * axes).to(self.axes)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.axes


class VectorEncoder(nn.Module):
    """Projection of a vector feature; a wide one passes through a layer of 512 first."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        wide = [nn.Linear(dim, 512), nn.ReLU()] if dim > WIDE else []
        self.layers = nn.Sequential(*wide, nn.Linear(512 if wide else dim, SIZE))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(B, dim) -> (B, 256); the lengths, all 1, are there for the common signature."""
        encoded: Tensor = self.layers(x)
        return encoded
