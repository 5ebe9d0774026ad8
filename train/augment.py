"""Augmentation of cached features: on standardised batches, in training only."""

from __future__ import annotations

import torch
from torch import Tensor

from .config import AugmentSettings
from .network.encoders import valid
from .network.recogniser import Batch


def augment(batch: Batch, settings: AugmentSettings) -> Batch:
    """Add Gaussian noise to every value."""
    result = {}
    for name, (values, lengths) in batch.items():
        if settings.noise > 0:
            values = values + settings.noise * torch.randn_like(values)
        if values.dim() == 3:
            values = values * valid(lengths, values.shape[1])[..., None]
        result[name] = (values, lengths)
    return result


def mix(x: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mix every row of x (B, d) with another of the batch (manifold mixup, Verma 2019).

    Returns the mixed rows, the partners' positions (B,) and the weights of the own rows (B,),
    drawn from Beta(alpha, alpha).
    """
    both = torch.full((), alpha, device=x.device)
    # Checking the arguments would wait for the device.
    weight = torch.distributions.Beta(both, both, validate_args=False).sample((len(x),))
    partner = torch.randperm(len(x), device=x.device)
    mixed = weight[:, None] * x + (1 - weight[:, None]) * x[partner]
    return mixed, partner, weight
