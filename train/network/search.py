"""The architecture search of a language (eq. 8-9): which representations feed which."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BETA, GAMMA, DELTA = 0.9, -0.1, 2.0
"""Temperature and stretch of the hard-concrete distribution, as the paper sets them."""

LIMIT = 4.6
"""How far from 0 log kappa goes where it is held or clamped: xi without noise is then 0 or 1."""

SMALL = 0.1
"""Scale of matrices that begin small."""

EPSILON = 1e-6
"""Added to a mean square that is divided by."""


class HardConcrete(nn.Module):
    """Gates between 0 and 1 that can be exactly 0 or 1 and have a gradient (Louizos 2017, eq. 9).

    The printed eq. 9 divides by beta outside the sigmoid; here, as in the source, it divides the
    whole sum within.

    Args:
        inputs, outputs: there is a gate (outputs, inputs) for every connection.
        kappa: the location that all gates begin with; 1 opens nearly all of them.

    Attributes:
        undecided: share of the gates between .1 and .9, without noise, when they were last held.
        apart: whether utterances of a batch have noise of their own.
    """

    def __init__(self, outputs: int, inputs: int, kappa: float = 1.0) -> None:
        super().__init__()
        self.kappa = kappa
        self.log_kappa = nn.Parameter(torch.full((outputs, inputs), math.log(kappa)))
        self.undecided: float | None = None
        self.apart = False

    @torch.no_grad()
    def hold(self, kept: Tensor) -> None:
        """From now on xi is exactly 1 where `kept` (outputs, inputs), bool, is, else 0."""
        self.undecided = self.share_undecided()
        self.log_kappa.copy_(torch.where(kept, LIMIT, -LIMIT))
        self.log_kappa.requires_grad_(False)

    @torch.no_grad()
    def release(self) -> None:
        """Begin to learn, where all gates begin, with noise for every utterance apart: its mean
        over a batch has far less of it."""
        self.apart = True
        self.log_kappa.fill_(math.log(self.kappa))
        self.log_kappa.requires_grad_(True)

    @torch.no_grad()
    def clamp(self) -> None:
        """Keep log kappa within -`LIMIT` and `LIMIT`, from where a gate can still come back."""
        self.log_kappa.clamp_(-LIMIT, LIMIT)

    def open(self) -> Tensor:
        """Which gates are more open than shut without noise: (outputs, inputs), bool."""
        return self.settled() > 0.5

    def share_undecided(self) -> float:
        """Share of the gates that are between .1 and .9 without noise."""
        settled = self.settled()
        return float(((settled > 0.1) & (settled < 0.9)).float().mean())

    def sample(self, u: Tensor) -> Tensor:
        """The gates xi for uniform noise u, both (..., outputs, inputs)."""
        return _stretched(torch.sigmoid((u.log() - (1 - u).log() + self.log_kappa) / BETA))

    def settled(self) -> Tensor:
        """The gates without noise, as they are at test time."""
        return _stretched(torch.sigmoid(self.log_kappa))

    def forward(self, count: int = 1) -> Tensor:
        """Gates (outputs, inputs): fresh noise in training, none at test time or while held.

        Where they are `apart`, each of `count` utterances has its own: (count, outputs, inputs).
        """
        if not self.training or not self.log_kappa.requires_grad:
            return self.settled()
        tiny = torch.finfo(self.log_kappa.dtype).eps
        like = self.log_kappa.expand(count, -1, -1) if self.apart else self.log_kappa
        return self.sample(torch.rand_like(like).clamp(tiny, 1 - tiny))

    def expected_l0(self) -> Tensor:
        """Expected number of gates that are not 0 (Louizos 2017, eq. 12): a scalar."""
        return _chance_open(self.log_kappa).sum()

    def share(self) -> Tensor:
        """Expected share of the gates that are not 0, a scalar: as far as clamped gates tell, from
        0, all of them are as shut as can be, to 1, as open."""
        chances = _chance_open(self.log_kappa)
        shut, wide = _chance_open(self.log_kappa.new_tensor([-LIMIT, LIMIT]))
        share: Tensor = ((chances - shut) / (wide - shut)).mean()
        return share


def _chance_open(log_kappa: Tensor) -> Tensor:
    """That a gate is not 0 (Louizos 2017, eq. 12)."""
    return torch.sigmoid(log_kappa - BETA * math.log(-GAMMA / DELTA))


def _stretched(s: Tensor) -> Tensor:
    return (s * (DELTA - GAMMA) + GAMMA).clamp(0, 1)


class Transitions(nn.Module):
    """The matrices W_ij of eq. 8, one for every connection.

    They are kept transposed, (outputs, inputs, size of v, size of u), so that all that feeds one
    output is one product of matrices.

    Args:
        inputs, outputs: numbers of representations.
        size: of each.
        init: "linear": as a linear layer; "identity": W_ii is 1 and the others are 0, so that a
            search begins with what it was given; "small": the others are .1 N(0, 1) / sqrt(size).
        normalise: divide every W_ij v_j by its root mean square, so that xi alone says how much of
            it there is.
    """

    def __init__(
        self, outputs: int, inputs: int, size: int, init: str = "linear", normalise: bool = False
    ) -> None:
        super().__init__()
        self.normalise = normalise
        weight = torch.empty(outputs, inputs, size, size)
        if init == "linear":
            nn.init.uniform_(weight, -(size**-0.5), size**-0.5)
        else:
            diagonal = torch.eye(outputs, inputs)[:, :, None, None]
            weight = diagonal * torch.eye(size)
            if init == "small":
                weight += (1 - diagonal) * SMALL * size**-0.5 * torch.randn(weight.shape)
        self.weight = nn.Parameter(weight)

    def forward(self, v: Tensor, xi: Tensor) -> Tensor:
        """u_i = sum_j xi_ij W_ij v_j.

        Args:
            v: (B, inputs, size).
            xi: (outputs, inputs), or (B, outputs, inputs).

        Returns:
            (B, outputs, size).
        """
        if self.normalise:
            moved = torch.einsum("bjd,ijde->bije", v, self.weight)
            return (xi[..., None] * normalised(moved)).sum(-2)
        by_output = xi[:, None] if xi.dim() == 2 else xi.transpose(0, 1)
        gated = (by_output[..., None] * v).flatten(2)
        return torch.bmm(gated, self.weight.flatten(1, 2)).transpose(0, 1)

    @property
    def size_of_one(self) -> int:
        """Parameters of one connection."""
        return self.weight[0, 0].numel()


class LowRankTransitions(nn.Module):
    """The same with W_ij = A_ij B_ij of a low rank, to which W_ii adds the identity.

    Far fewer parameters: 2 x rank x size in place of size x size for every connection.

    Args:
        rank: of the products.
        and as of `Transitions`; at first the product is as large as a matrix of `init` "linear" or
            "small", off the diagonal, or 0 where the init has 0.
    """

    def __init__(
        self, outputs: int, inputs: int, size: int, rank: int, init: str, normalise: bool
    ) -> None:
        super().__init__()
        self.normalise = normalise
        scale = {"linear": 1.0, "small": SMALL, "identity": 0.0}[init]
        scales = torch.full((outputs, inputs), scale)
        if init != "linear":
            scales.fill_diagonal_(0)
        down = torch.randn(outputs, inputs, size, rank) * size**-0.5
        up = torch.randn(outputs, inputs, rank, size) * rank**-0.5
        self.down, self.up = nn.Parameter(down), nn.Parameter(scales[:, :, None, None] * up)

    def forward(self, v: Tensor, xi: Tensor) -> Tensor:
        """As `Transitions`."""
        moved = torch.einsum("bjd,ijdr->bijr", v, self.down)
        moved = torch.einsum("bijr,ijre->bije", moved, self.up)
        moved = moved + torch.eye(*xi.shape[-2:], device=v.device)[:, :, None] * v[:, None]
        return (xi[..., None] * (normalised(moved) if self.normalise else moved)).sum(-2)

    @property
    def size_of_one(self) -> int:
        """Parameters of one connection."""
        return self.down[0, 0].numel() + self.up[0, 0].numel()


def normalised(x: Tensor) -> Tensor:
    """Every vector (..., d) divided by its root mean square; one of zeros stays so."""
    return F.rms_norm(x, x.shape[-1:], eps=EPSILON)
