"""Utterances cut into batches of similar length."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor


def shuffled_batches(
    rows: Tensor, lengths: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Cut `rows` into batches of similar length, in random order, afresh at every call.

    Utterances are ranked by their length with 20 % of jitter, so that little is lost to padding
    while the batches differ from epoch to epoch. Batch sizes differ by at most one.
    """
    jitter = 1 + 0.2 * (2 * torch.rand(len(rows), generator=generator) - 1)
    ranked = rows[torch.argsort(lengths[rows] * jitter)]
    batches = torch.tensor_split(ranked, math.ceil(len(rows) / batch_size))
    for index in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[index]


def ordered_batches(rows: Tensor, lengths: Tensor, frames: int) -> Iterator[Tensor]:
    """Cut `rows` into batches of similar length, for evaluation, the longest utterances first.

    A batch has at most so many frames, padding included, or a single utterance.
    """
    ranked = rows[torch.argsort(lengths[rows], stable=True, descending=True)]
    start = 0
    while start < len(ranked):
        count = max(1, frames // int(lengths[ranked[start]]))
        yield ranked[start : start + count]
        start += count
