"""The architecture search of a language (eq. 8-9): which representations feed which."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BETA, GAMMA, DELTA = 0.9, -0.1, 2.0
"""Temperature and stretch of the hard-concrete distribution, as the paper sets them."""


class HardConcrete(nn.Module):
    """Gates between 0 and 1 that can be exactly 0 or 1 and have a gradient (Louizos 2017, eq. 9).

    The printed eq. 9 divides by beta outside the sigmoid; here, as in the source, it divides the
    whole sum within.

    Args:
        inputs, outputs: there is a gate (outputs, inputs) for every connection.
        kappa: the location that all gates begin with; 1 opens nearly all of them.
    """

    def __init__(self, outputs: int, inputs: int, kappa: float = 1.0) -> None:
        super().__init__()
        self.log_kappa = nn.Parameter(torch.full((outputs, inputs), math.log(kappa)))

    def sample(self, u: Tensor) -> Tensor:
        """The gates xi for uniform noise u, both (outputs, inputs)."""
        return _stretched(torch.sigmoid((u.log() - (1 - u).log() + self.log_kappa) / BETA))

    def settled(self) -> Tensor:
        """The gates without noise, as they are at test time."""
        return _stretched(torch.sigmoid(self.log_kappa))

    def forward(self) -> Tensor:
        """Gates (outputs, inputs): fresh noise in training, none at test time."""
        if not self.training:
            return self.settled()
        tiny = torch.finfo(self.log_kappa.dtype).eps
        return self.sample(torch.rand_like(self.log_kappa).clamp(tiny, 1 - tiny))

    def expected_l0(self) -> Tensor:
        """Expected number of gates that are not 0 (Louizos 2017, eq. 12): a scalar."""
        return torch.sigmoid(self.log_kappa - BETA * math.log(-GAMMA / DELTA)).sum()


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
            search begins with what it was given.
    """

    def __init__(self, outputs: int, inputs: int, size: int, init: str = "linear") -> None:
        super().__init__()
        weight = torch.empty(outputs, inputs, size, size)
        if init == "identity":
            ones = torch.eye(outputs, inputs)[:, :, None, None]
            weight = ones * torch.eye(size)
        else:
            nn.init.uniform_(weight, -(size**-0.5), size**-0.5)
        self.weight = nn.Parameter(weight)

    def forward(self, v: Tensor, xi: Tensor) -> Tensor:
        """u_i = sum_j xi_ij W_ij v_j.

        Args:
            v: (B, inputs, size).
            xi: (outputs, inputs).

        Returns:
            (B, outputs, size).
        """
        gated = (xi[:, None, :, None] * v).flatten(2)
        return torch.bmm(gated, self.weight.flatten(1, 2)).transpose(0, 1)
