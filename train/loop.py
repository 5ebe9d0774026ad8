"""The training loop of one model on one split of every corpus."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..errors import SerError
from ..ge2e.encoder import published
from ..ge2e.weights import weights_file
from .augment import augment, mix
from .config import Config
from .data import Domain, send, shuffled_batches
from .evaluate import evaluation_batches, validation_ua
from .network.recogniser import Recogniser
from .network.spec import ModelSpec
from .network.towers import shape_of
from .optimiser import AdamW

GE2E_RATE = 0.01
"""Learning rate of GE2E when it is fine-tuned, as a share of that of the rest (section 5.1)."""


@dataclass(frozen=True)
class Part:
    """What is trained on of a domain: rows of its utterances, on the host."""

    domain: Domain
    train: Tensor
    validation: Tensor


@dataclass(frozen=True)
class Fitted:
    """A trained model and its learning curve.

    Attributes:
        losses: mean training loss of every epoch.
        validation: by corpus, the validation UA of every epoch.
        epoch: the epoch, from 1, whose weights the model holds.
    """

    model: Recogniser
    losses: Sequence[float]
    validation: Mapping[str, Sequence[float]]
    epoch: int


def fit(
    parts: Sequence[Part],
    spec: ModelSpec,
    config: Config,
    seed: int,
    epoch_done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Train a model on the domains of `parts`; choose by the mean of their validation UAs.

    The seed sets the initial weights, the order, dropout and augmentation. `epoch_done` is called
    after every epoch.

    Raises SerError if the loss is not finite.
    """
    training = Training(parts, spec, config, seed)
    model = training.model
    checks = [evaluation_batches(part.domain, part.validation) for part in parts]
    losses: list[float] = []
    curves: dict[str, list[float]] = {part.domain.corpus: [] for part in parts}
    best, highest, chosen = model.state_dict(), -1.0, 0

    for epoch in range(1, config.train.epochs + 1):
        losses.append(float(training.epoch()))
        if not math.isfinite(losses[-1]):
            raise SerError(
                f"{', '.join(curves)}: the loss of epoch {epoch} is not finite; "
                "try a lower train.lr"
            )
        for part, batches in zip(parts, checks, strict=True):
            ua = validation_ua(model, part.domain, part.validation, batches)
            curves[part.domain.corpus].append(ua)
        mean = sum(curve[-1] for curve in curves.values()) / len(curves)
        if config.train.select == "last" or mean > highest:
            best = {name: value.clone() for name, value in model.state_dict().items()}
            highest, chosen = mean, epoch
        epoch_done()

    model.load_state_dict(best)
    return Fitted(model, losses, curves, chosen)


class Training:
    """A model in training: with its optimiser and the order of its batches.

    Args:
        seed: of the initial weights, the order, dropout and augmentation.
    """

    def __init__(self, parts: Sequence[Part], spec: ModelSpec, config: Config, seed: int) -> None:
        self.parts, self.config = parts, config
        self.device = parts[0].domain.targets.device
        torch.manual_seed(seed)
        self.order = torch.Generator().manual_seed(seed)
        model = Recogniser(spec)
        if model.speaker is not None:
            model.speaker = published(weights_file())
        model.fit_inputs([(part.domain, part.train) for part in parts])
        self.model = model.to(self.device)
        batch_size = config.train.batch_size
        steps = sum(math.ceil(len(part.train) / batch_size) for part in parts)
        self.optimiser = make_optimiser(model, config, steps * config.train.epochs)
        self.lengths = [part.domain.lengths() for part in parts]
        self.targets = [
            model.columns(part.domain.corpus).to(self.device)[part.domain.targets] for part in parts
        ]

    def epoch(self) -> Tensor:
        """Train on every utterance once; the mean loss, a scalar on the device."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        batch_size = self.config.train.batch_size
        for number, rows in mixed_batches(self.parts, self.lengths, batch_size, self.order):
            total += self.step(number, rows) * len(rows)
        return total / sum(len(part.train) for part in self.parts)

    def step(self, number: int, rows: Tensor) -> Tensor:
        """Train on one batch: `rows`, on the host, of a part; its loss, a scalar on the device."""
        domain = self.parts[number].domain
        targets = self.targets[number][send(rows, self.device)]
        with precision(self.device, self.config.train.precision):
            loss = training_loss(self.model, domain, rows, targets, self.config)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()


def precision(device: torch.device, name: str) -> torch.autocast:
    """What the products of matrices and the LSTMs of training are computed in."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=name == "bfloat16")


def make_optimiser(model: Recogniser, config: Config, steps: int) -> AdamW:
    """AdamW over all that is trained; GE2E, where it is fine-tuned, at a hundredth of the rate.

    Args:
        steps: how many there will be.
    """
    shares = {
        "speaker": GE2E_RATE,
        "fusion.gates": config.gate.lr,
        "fusion.connections": config.search.lr,
        "fusion.transitions": config.search.lr,
    }
    groups: dict[float, list[Tensor]] = {1.0: []}
    for name, parameter in model.named_parameters():
        share = next((share for part, share in shares.items() if name.startswith(part)), 1.0)
        groups.setdefault(share, []).append(parameter)
    train = config.train
    return AdamW(groups, train.lr, train.weight_decay, lr_factor(config, steps))


def mixed_batches(
    parts: Sequence[Part], lengths: Sequence[Tensor], batch_size: int, order: torch.Generator
) -> Iterator[tuple[int, Tensor]]:
    """The batches of an epoch, each from one domain, the domains in random order.

    Yields the number of the part and the rows of its domain.
    """
    batches = [
        shuffled_batches(part.train, each, batch_size, order)
        for part, each in zip(parts, lengths, strict=True)
    ]
    counts = torch.tensor([math.ceil(len(part.train) / batch_size) for part in parts])
    turns = torch.arange(len(parts)).repeat_interleave(counts)
    if len(parts) > 1:
        turns = turns[torch.randperm(len(turns), generator=order)]
    for number in turns.tolist():
        yield number, next(batches[number])


def training_loss(
    model: Recogniser, domain: Domain, rows: Tensor, targets: Tensor, config: Config
) -> Tensor:
    """The loss of one batch: cross-entropy, alpha times the auxiliary loss (eq. 6), l0.

    Args:
        rows: utterances of the domain, on the host.
        targets: where their labels stand in the outputs of the domain's tower, (len(rows),).
    """
    corpus = domain.corpus
    batch = augment(model.standardised(domain.batch(rows), corpus), config.augment)
    fused = model.represent(batch, corpus)
    smoothing = config.train.label_smoothing
    if config.augment.mixup > 0:
        mixed, partner, weight = mix(fused, config.augment.mixup)
        logits = model.classify(mixed, corpus)
        own = F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
        other = F.cross_entropy(
            logits, targets[partner], reduction="none", label_smoothing=smoothing
        )
        loss = (weight * own + (1 - weight) * other).mean()
    else:
        logits = model.classify(fused, corpus)
        loss = F.cross_entropy(logits, targets, label_smoothing=smoothing)
    alpha = config.train.alpha if config.train.alpha >= 0 else shape_of(domain.language).alpha
    if alpha > 0:
        loss = loss + alpha * model.auxiliary(fused, targets, logits.shape[1])
    if config.search.l0 > 0:
        loss = loss + config.search.l0 * model.expected_l0(corpus)
    return loss


def lr_factor(config: Config, steps: int) -> Callable[[int], float]:
    """Learning rate of a step, as a share of the highest: warm-up, then constant or cosine."""
    warm = config.train.warmup * steps

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / (warm + 1)
        if config.train.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))

    return factor
