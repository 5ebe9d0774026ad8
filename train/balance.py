"""Emotions of unequal number, made to count alike in training."""

from __future__ import annotations

import torch
from torch import Tensor


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """n / (K n_c) for each of the K classes that occur, 0 for others: (classes,).

    Their mean over the n utterances is 1.
    """
    counts = torch.bincount(targets, minlength=classes)
    weights = len(targets) / (counts.count_nonzero() * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 0.0)


def log_priors(targets: Tensor, classes: int) -> Tensor:
    """log(n_c / n), (classes,): what is added to the logits in training, and not at test time, so
    that they learn to do without it (Menon et al. 2021, logit adjustment with tau = 1).

    A class that does not occur counts as if it had once.
    """
    return (torch.bincount(targets, minlength=classes).clamp(min=1) / len(targets)).log()


def balanced_draw(rows: Tensor, targets: Tensor, generator: torch.Generator) -> Tensor:
    """As many rows again, drawn with replacement, each emotion as often as any other.

    Args:
        rows, targets: of utterances, (n,), on the host.
    """
    weights = class_weights(targets, int(targets.max()) + 1)[targets]
    return rows[torch.multinomial(weights, len(rows), replacement=True, generator=generator)]
