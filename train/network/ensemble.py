"""The networks of one repeat as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from .recogniser import Batch, Recogniser
from .settings import LEAST
from .spec import ModelSpec


def tempered(probabilities: Tensor, temperature: float) -> Tensor:
    """p^(1/T), normalised (..., labels): a temperature T above 1 flattens, below 1 sharpens."""
    return (probabilities.clamp(min=LEAST).log() / temperature).softmax(-1)


class Ensemble(nn.Module):
    """Networks of one kind: the mean of what they say, calibrated where it has a temperature.

    The mean is taken first and calibrated then: the mean of calibrated probabilities would not be
    (Rahaman and Thiery, 2021).

    Args:
        members: at least one; they may be ensembles that are calibrated themselves.
        temperatures: by corpus; the probabilities of others stay as they are.
    """

    def __init__(
        self,
        members: Sequence[Recogniser | Ensemble],
        temperatures: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.members: Iterable[Recogniser | Ensemble] = nn.ModuleList(members)  # type: ignore[assignment]
        self.spec: ModelSpec = members[0].spec
        self.temperatures = dict(temperatures or {})

    def forward(self, batch: Batch, corpus: str) -> Tensor:
        """A batch of cached features of a corpus -> probabilities (B, labels of the corpus)."""
        said = [member.probabilities(batch, corpus) for member in self.members]
        mean = reduce(torch.add, (probabilities / len(said) for probabilities in said))
        return tempered(mean, self.temperatures[corpus]) if corpus in self.temperatures else mean

    probabilities = forward

    @property
    def recognisers(self) -> list[Recogniser]:
        """All networks in it."""
        return [module for module in self.modules() if isinstance(module, Recogniser)]
