"""The contrastive auxiliary loss of the paper (eq. 3-6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from .settings import AuxiliarySettings

FEWEST = 6
"""An emotion counts in a batch from this many samples on: more than five."""


class AuxiliaryLoss(nn.Module):
    """Pull representations towards the centroid of their emotion and away from the others.

    S = w cos(x, c) + b (eq. 3) with centroids c, the means of the L2-normalised samples of an
    emotion (eq. 4), and the cross-entropy of S over the centroids (eq. 5). Emotions with five
    samples or fewer in the batch are left out; with fewer than two emotions left the loss is 0.

    `reduction`: "sum" over the samples, as eq. 6 has it, or "mean". `exclude_self`: take a sample
    out of its own centroid, as GE2E does.
    """

    def __init__(self, settings: AuxiliarySettings) -> None:
        super().__init__()
        self.settings = settings
        self.w = nn.Parameter(torch.tensor(10.0))
        self.b = nn.Parameter(torch.tensor(-5.0))

    def similarity(self, x: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """The matrix S (B, classes) and which emotions count (classes,), bool."""
        x = F.normalize(x, dim=-1)
        member = F.one_hot(targets, classes).to(x.dtype)
        counts = member.sum(0)
        sums = member.T @ x
        cosine = x @ F.normalize(sums, dim=-1).T
        if self.settings.exclude_self:
            others = F.normalize(sums[targets] - x, dim=-1)
            to_others = (x * others).sum(-1, keepdim=True)
            cosine = torch.where(member.bool(), to_others, cosine)
        return self.w.clamp_min(1e-6) * cosine + self.b, counts >= FEWEST

    def forward(self, x: Tensor, targets: Tensor, classes: int) -> Tensor:
        """Representations (B, d) and targets (B,) -> scalar."""
        scores, kept = self.similarity(x, targets, classes)
        # A finite floor: a row of infinities would make the gradient of the skipped rows NaN.
        scores = scores.masked_fill(~kept, torch.finfo(scores.dtype).min)
        counted = kept[targets] & (kept.sum() >= 2)
        losses = F.cross_entropy(scores, targets, reduction="none")
        total = torch.where(counted, losses, 0.0).sum()
        return total if self.settings.reduction == "sum" else total / counted.sum().clamp_min(1)
