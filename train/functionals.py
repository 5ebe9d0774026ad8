"""Functionals: a sequence feature as one vector per utterance, time taken out of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from .config import ModelSettings
from .data import Domain, Packed

PERCENTILES = (0.1, 0.5, 0.9)
STRETCHES = 3


def functionals(frames: Tensor) -> Tensor:
    """What is said of a sequence: (T, D) -> (9 D,).

    Mean and deviation, root mean square of the differences between frames, 10th, 50th and 90th
    percentile, and the means of the first, second and last third.
    """
    frames = frames.float()
    if len(frames) < STRETCHES:
        frames = frames.repeat_interleave(STRETCHES, dim=0)
    deviation, mean = torch.std_mean(frames, dim=0, correction=0)
    change = frames.diff(dim=0).square().mean(0).sqrt()
    percentiles = frames.quantile(frames.new_tensor(PERCENTILES), dim=0).flatten()
    thirds = [part.mean(0) for part in frames.tensor_split(STRETCHES)]
    return torch.cat([mean, deviation, change, percentiles, *thirds])


def as_encoded(domain: Domain, settings: ModelSettings) -> Domain:
    """The domain as a model of these settings takes it: with `encoder = "functionals"` every
    sequence feature becomes the vector of its functionals, once and for all epochs."""
    if settings.encoder != "functionals":
        return domain
    features = {
        name: _functionals_of(packed) if packed.sequence else packed
        for name, packed in domain.features.items()
    }
    return replace(domain, features=features)


def _functionals_of(packed: Packed) -> Packed:
    bounds = pairwise(packed.offsets.tolist())
    vectors = torch.stack([functionals(packed.frames[start:end]) for start, end in bounds])
    offsets = torch.arange(len(vectors) + 1, device=vectors.device)
    return Packed(vectors, offsets, sequence=False, backbone=packed.backbone)
