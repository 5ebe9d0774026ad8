"""AdamW for parameters that learn at different rates, along a schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019), by torch's function for it.

    `torch.optim.AdamW` gives the same numbers, but imports torch's compiler at its first use: more
    than a second in every process. A parameter without a gradient stays as it is and does not age.

    Args:
        groups: parameters by the share of the learning rate at which they learn.
        schedule: the learning rate of a step, counted from 0, as a share of `lr`.
        betas: decay of the moving means of gradients and of their squares.
    """

    def __init__(
        self,
        groups: Mapping[float, Sequence[Tensor]],
        lr: float,
        weight_decay: float,
        schedule: Callable[[int], float],
        betas: tuple[float, float] = BETAS,
    ) -> None:
        self.groups, self.lr, self.betas = groups, lr, betas
        self.weight_decay, self.schedule = weight_decay, schedule
        self.steps = 0
        self._state: dict[Tensor, tuple[Tensor, Tensor, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.groups.values():
            for parameter in group:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for share, group in self.groups.items():
            moved = [parameter for parameter in group if parameter.grad is not None]
            states = [self._state_of(parameter) for parameter in moved]
            adamw(
                moved,
                [parameter.grad for parameter in moved if parameter.grad is not None],
                [mean for mean, _, _ in states],
                [square for _, square, _ in states],
                [],
                [age for _, _, age in states],
                fused=True,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=share * self.lr * self.schedule(self.steps),
                weight_decay=self.weight_decay,
                eps=EPSILON,
                maximize=False,
            )
        self.steps += 1

    def _state_of(self, parameter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Its moving means of the gradient and of its square, and its steps so far."""
        if parameter not in self._state:
            self._state[parameter] = (
                torch.zeros_like(parameter),
                torch.zeros_like(parameter),
                torch.zeros((), device=parameter.device),
            )
        return self._state[parameter]
