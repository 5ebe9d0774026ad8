"""Functionals: a sequence feature as one vector per utterance, time taken out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

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


def pooled(frames: Tensor) -> Tensor:
    """Mean and deviation over time, all that the baseline sees: (T, D) -> (2 D,)."""
    deviation, mean = torch.std_mean(frames.double(), dim=0, correction=0)
    return torch.cat([mean, deviation]).float()


VECTORS: Mapping[str, Callable[[Tensor], Tensor]] = {"functionals": functionals, "pooled": pooled}
"""Encodings that make a vector of a sequence; any other leaves it as it is."""


def as_encoded(domain: Domain, encoding: str, keep: Sequence[str] = ()) -> Domain:
    """The domain as a model with `model.encoder = encoding` takes it, or the baseline (`pooled`):
    sequence features become vectors, once and for all epochs, but for those named in `keep`."""
    if encoding not in VECTORS:
        return domain
    features = {
        name: _as_vectors(packed, VECTORS[encoding])
        if packed.sequence and name not in keep
        else packed
        for name, packed in domain.features.items()
    }
    return replace(domain, features=features)


def _as_vectors(packed: Packed, summarise: Callable[[Tensor], Tensor]) -> Packed:
    bounds = pairwise(packed.offsets.tolist())
    vectors = torch.stack([summarise(packed.frames[start:end]) for start, end in bounds])
    offsets = torch.arange(len(vectors) + 1, device=vectors.device)
    return Packed(vectors, offsets, sequence=False, backbone=packed.backbone)
