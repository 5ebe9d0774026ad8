"""Functionals: a sequence feature as one vector per utterance, time taken out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .data import Domain, Packed
from .encoding import Encoding
from .network.encoders import valid

PERCENTILES = (0.1, 0.5, 0.9)
STRETCHES = 3

Summary = Callable[[Tensor, Tensor], Tensor]
"""Padded sequences (B, L, D) and their lengths (B,) -> a vector each (B, d)."""


def functionals(frames: Tensor, lengths: Tensor) -> Tensor:
    """What is said of sequences on the host: (B, L, D), zeros as padding, -> (B, 9 D).

    Mean and standard deviation, root mean square of the differences between frames, 10th, 50th and
    90th percentile, and the means of the first, second and last third. A sequence of fewer than
    three frames is taken as if every frame were there three times.
    """
    short = lengths < STRETCHES
    if short.any():
        result = frames.new_empty(len(frames), 9 * frames.shape[2])
        thrice = frames[short, : STRETCHES - 1].repeat_interleave(STRETCHES, dim=1)
        result[short] = functionals(thrice, STRETCHES * lengths[short])
        if not short.all():
            result[~short] = functionals(frames[~short], lengths[~short])
        return result
    inside = valid(lengths, frames.shape[1])
    count = lengths[:, None].to(frames.dtype)
    mean = frames.sum(1) / count
    std = (((frames - mean[:, None]) * inside[..., None]).square().sum(1) / count).sqrt()
    change = frames.diff(dim=1).square() * inside[:, 1:, None]
    rms = (change.sum(1) / (count - 1)).sqrt()
    percentiles = _percentiles(frames, lengths, inside)
    parts = [mean, std, rms, *percentiles, *_thirds(frames, lengths)]
    return torch.cat(parts, dim=1)


def _percentiles(frames: Tensor, lengths: Tensor, inside: Tensor) -> list[Tensor]:
    """Each (B, D), with linear interpolation between frames."""
    padded = torch.where(inside[..., None], frames, torch.inf).transpose(1, 2).contiguous()
    ranked = torch.from_numpy(np.sort(padded.numpy(), axis=-1))  # several times torch's speed
    percentiles = []
    for share in PERCENTILES:
        place = share * (lengths - 1).double()
        below = place.floor().long()
        above = place.ceil().long()
        low, high = (
            ranked.gather(2, at[:, None, None].expand(-1, ranked.shape[1], 1))[..., 0]
            for at in (below, above)
        )
        percentiles.append(torch.lerp(low, high, (place - below)[:, None].to(low.dtype)))
    return percentiles


def _thirds(frames: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """The means (B, D) of stretches whose lengths differ by one at most, longer ones first."""
    steps = torch.arange(frames.shape[1])
    start = torch.zeros_like(lengths)
    for number in range(STRETCHES):
        end = start + lengths // STRETCHES + (lengths % STRETCHES > number)
        chosen = (steps >= start[:, None]) & (steps < end[:, None])
        weights = chosen / (end - start)[:, None].to(frames.dtype)
        yield (weights[:, None] @ frames)[:, 0]
        start = end


def pooled(frames: Tensor, lengths: Tensor) -> Tensor:
    """Mean and standard deviation over time, for the baseline: (B, L, D) -> (B, 2 D), double."""
    frames = frames.double()
    inside = valid(lengths, frames.shape[1])[..., None]
    mean = frames.sum(1) / lengths[:, None]
    squares = ((frames - mean[:, None]) * inside).square().sum(1)
    return torch.cat([mean, (squares / lengths[:, None]).sqrt()], dim=1)


VECTORS: Mapping[str, Summary] = {"functionals": functionals, "pooled": pooled}
"""What makes a vector of a sequence, by the names of `SUMMARIES`."""

AT_ONCE = 1 << 21
"""Values that are padded and summarised together."""


def as_encoded(domain: Domain, encoding: Encoding) -> Domain:
    """The domain as a model takes it.

    Args:
        domain: on the host.
    """
    vectors = {
        name: _as_vectors(packed, VECTORS[encoding.name])
        for name, packed in domain.features.items()
        if encoding.summarises(name, packed.sequence)
    }
    return replace(domain, features={**domain.features, **vectors}) if vectors else domain


def _as_vectors(packed: Packed, summarise: Summary) -> Packed:
    """Summarise utterances of similar length together."""
    ranked = torch.argsort(packed.lengths)
    widest = max(int(packed.lengths.max()), 1) * packed.dim
    parts = [
        summarise(*packed.gather(rows, int(packed.lengths[rows].max())))
        for rows in torch.split(ranked, max(1, AT_ONCE // widest))
    ]
    vectors = torch.cat(parts)[torch.argsort(ranked)]
    offsets = torch.arange(len(vectors) + 1)
    return Packed(vectors, offsets, sequence=False, backbone=packed.backbone)
