"""The architecture search in phases: all connections open, gates that learn, the best ones kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .batches import shuffled_batches
from .network.search import HardConcrete
from .network.settings import SearchSettings
from .optimiser import AdamW

if TYPE_CHECKING:
    from .loop import DomainSplit

Loss = Callable[[int, Tensor], Tensor]
"""Of a batch: the number of the split and rows of its domain -> a scalar."""

GATE_BETAS = (0.5, 0.999)
RISE = 0.6
"""Share of the steps of the gates in which their target comes down to what is aimed at."""

ASCENT = 0.3
"""Rate at which the multipliers rise."""

GATE_BATCH = 4
"""Size of a batch for gates by that for weights: there are few gates, and their gradient is noisy.
"""


class StructureSearch:
    """Chooses which connections of a fusion are kept, while the weights are trained.

    Three phases, in epochs: for `search.warmup` of them all connections are open. Then the gates
    learn, a step after each of the weights, on batches of utterances that the weights do not learn
    from (`search.held_out`), towards a number of open connections that falls to `search.target`.
    For the last `search.freeze` of the epochs the best connections are kept, all others cut, and
    the weights learn on from the whole training part. A structure to compare with takes the place
    of the gates where they would begin to learn.

    It does nothing where nothing is searched, or gates learn as weights do (`search.gate_lr=0`).

    Args:
        gates: `Fusion.searched`.
        splits: one for each domain.
        lengths: by split, what the utterances of its domain cost.
        seed: of the order in which gates see what is held out.
    """

    def __init__(
        self,
        gates: Mapping[str, HardConcrete],
        splits: Sequence[DomainSplit],
        lengths: Sequence[Tensor],
        settings: SearchSettings,
        epochs: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.learns = bool(gates) and settings.structure == "learned" and settings.gate_lr > 0
        self.gates = gates if self.learns or settings.structure != "learned" else {}
        self.settings, self.splits = settings, list(splits)
        self.first = round(settings.warmup * epochs)
        self.last = epochs - round(settings.freeze * epochs)
        self.epoch = -1
        parted = [_parted(split, settings.held_out) for split in splits]
        self.shared = [
            replace(split, train=rest) for split, (rest, _) in zip(splits, parted, strict=True)
        ]
        order = torch.Generator().manual_seed(seed)
        self.batches = [
            _endless(held, costs, GATE_BATCH * batch_size, order)
            for (_, held), costs in zip(parted, lengths, strict=True)
        ]
        self.parameters = [each.log_kappa for each in gates.values()] if self.learns else []
        self.optimiser = AdamW(
            {1.0: self.parameters}, settings.gate_lr, 0.0, lambda step: 1.0, GATE_BETAS
        )
        self.multipliers = dict.fromkeys(self.gates, (0.0, 0.0))
        per_epoch = sum(-(-len(split.train) // batch_size) for split in self.shared)
        self.steps = (self.last - self.first) * per_epoch

    def parts(self, epoch: int) -> list[DomainSplit]:
        """What the weights learn from in an epoch, counted from 0."""
        return self.shared if self.gates and epoch < self.last else self.splits

    @property
    def pending(self) -> bool:
        """Whether the structure will still change."""
        return bool(self.gates) and self.settings.freeze > 0 and self.epoch < self.last

    def begin(self, epoch: int) -> None:
        """Begin an epoch, counted from 0."""
        self.epoch = epoch
        structure, target = self.settings.structure, self.settings.target
        for number, gates in enumerate(self.gates.values()):
            shape, device = gates.log_kappa.shape, gates.log_kappa.device
            if epoch == 0:
                gates.hold(torch.ones(shape, dtype=torch.bool, device=device))
            if epoch == self.first and structure == "learned":
                gates.release()
            elif epoch == self.first and structure == "diagonal":
                gates.hold(torch.eye(*shape, dtype=torch.bool, device=device))
            elif epoch == self.first and structure == "random":
                draw = torch.Generator().manual_seed(1000 * self.settings.draw + number)
                gates.hold(highest(torch.rand(shape, generator=draw), target).to(device))
            if epoch == self.last and structure == "learned":
                gates.hold(highest(gates.log_kappa, target) if target < 1 else gates.open())

    def step(self, number: int, loss: Loss) -> None:
        """Where gates learn: move those of a split's language by a batch of their own."""
        if not self.learns or not self.first <= self.epoch < self.last:
            return
        language = self.splits[number].domain.language
        gates = self.gates[language]
        end = count_kept(gates.log_kappa, self.settings.target) / gates.log_kappa.numel()
        target = target_size(end, self.optimiser.steps / self.steps)
        distance = gap(gates.share(), target, self.settings.gap)
        objective = loss(number, next(self.batches[number]))
        if self.settings.target < 1:
            objective = objective + lagrangian(distance, *self.multipliers[language])
            self._ascend(language, distance.item())
        (gates.log_kappa.grad,) = torch.autograd.grad(objective, [gates.log_kappa])
        self.optimiser.step()
        self.optimiser.zero_grad()
        gates.clamp()

    def _ascend(self, language: str, distance: float) -> None:
        """Raise the multipliers by their gradients, the distance and its square."""
        linear, square = self.multipliers[language]
        self.multipliers[language] = linear + ASCENT * distance, square + ASCENT * distance**2


def target_size(end: float, progress: float) -> float:
    """Share of open connections that is aimed at: from 1 to `end`, linearly over the first `RISE`
    of the search, of which `progress` (0 to 1) is done."""
    return 1 - (1 - end) * min(1.0, progress / RISE)


def gap(size: Tensor, target: float, kind: str) -> Tensor:
    """s - t, "signed", or |s - t|, "absolute", which does not overshoot."""
    return (size - target).abs() if kind == "absolute" else size - target


def lagrangian(distance: Tensor, linear: float, square: float) -> Tensor:
    """What keeps a size to its target (Wang et al. 2020, Structured pruning of large language
    models): l1 d + l2 d^2 of the distance d between them."""
    return linear * distance + square * distance.square()


def highest(values: Tensor, share: float) -> Tensor:
    """Where a share of all values (outputs, inputs) lies that are the highest: bool, of that shape.

    At least as many as there are outputs, since with fewer one would be cut off. Of equals, the
    first.
    """
    kept = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    kept[values.flatten().argsort(descending=True, stable=True)[: count_kept(values, share)]] = True
    return kept.view(values.shape)


def count_kept(values: Tensor, share: float) -> int:
    """How many of the connections (outputs, inputs) `highest` keeps."""
    return max(len(values), round(share * values.numel()))


def _parted(split: DomainSplit, share: float) -> tuple[Tensor, Tensor]:
    """The training part in two, of which the second is about a share of it; both are all of it
    where the share is 0. By whatever seed, so that networks of one split agree on what they go by.

    Where no speaker of the validation part is in the training part, none is in both of these, as
    far as there are two.
    """
    rows = split.train
    if share == 0 or len(rows) < 2:
        return rows, rows
    speakers, draw = split.domain.speakers, torch.Generator().manual_seed(0)
    known = sorted({speakers[row] for row in rows.tolist()} - {""})
    heard = {speakers[row] for row in split.validation.tolist()}
    if len(known) > 1 and not heard & set(known):
        order = torch.randperm(len(known), generator=draw).tolist()
        count = min(max(1, round(share * len(known))), len(known) - 1)
        chosen = {known[place] for place in order[:count]}
        held = torch.tensor([speakers[row] in chosen for row in rows.tolist()])
    else:
        held = torch.zeros(len(rows), dtype=torch.bool)
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        held[torch.randperm(len(rows), generator=draw)[:count]] = True
    return rows[~held], rows[held]


def _endless(
    rows: Tensor, lengths: Tensor, batch_size: int, order: torch.Generator
) -> Iterator[Tensor]:
    while True:
        yield from shuffled_batches(rows, lengths, batch_size, order)
