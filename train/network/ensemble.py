"""The networks of one repeat as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from .recogniser import Batch, Recogniser


class Ensemble(nn.Module):
    """Networks of one kind that were trained from different seeds: the mean of what they say.

    Args:
        members: at least one.
    """

    def __init__(self, members: Sequence[Recogniser]) -> None:
        super().__init__()
        self.members: Iterable[Recogniser] = nn.ModuleList(members)  # type: ignore[assignment]
        self.spec = members[0].spec

    def forward(self, batch: Batch, corpus: str) -> Tensor:
        """A batch of cached features of a corpus -> probabilities (B, labels of the corpus)."""
        said = [member.probabilities(batch, corpus) for member in self.members]
        return reduce(torch.add, (probabilities / len(said) for probabilities in said))

    probabilities = forward
