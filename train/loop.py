"""The training loop of one model on one split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..errors import SerError
from .augment import augment, mix
from .config import Config
from .data import Domain, ordered_batches, shuffled_batches
from .metrics import confusion_matrix, unweighted_accuracy
from .model import ModelSpec, Recogniser, probabilities
from .towers import shape_of

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Fitted:
    """A trained model and its learning curve.

    Attributes:
        losses: mean training loss of every epoch.
        validation: validation UA of every epoch.
        epoch: the epoch, from 1, whose weights the model holds.
    """

    model: Recogniser
    losses: Sequence[float]
    validation: Sequence[float]
    epoch: int


def fit(
    domain: Domain,
    train: Tensor,
    validation: Tensor,
    config: Config,
    seed: int,
    epoch_done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Train a model on the utterances `train` (rows of `domain`); choose by `validation`.

    The seed sets the initial weights, the order, dropout and augmentation. `epoch_done` is called
    after every epoch.

    Raises SerError if the loss is not finite.
    """
    settings = config.train
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    model = Recogniser(ModelSpec.of(domain, config.model, config.auxiliary))
    model.to(domain.targets.device)
    model.fit_inputs(domain, train)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
    )
    steps = math.ceil(len(train) / settings.batch_size) * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lr_factor(config, steps))
    lengths = domain.lengths()
    checks = list(ordered_batches(validation, lengths, EVALUATION_BATCH))
    losses: list[float] = []
    curve: list[float] = []
    best: dict[str, Tensor] = {}

    for epoch in range(1, settings.epochs + 1):
        model.train()
        total = torch.zeros((), device=domain.targets.device)
        for rows in shuffled_batches(train, lengths, settings.batch_size, order):
            loss = training_loss(model, domain, rows, config)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.detach() * len(rows)
        losses.append(float(total) / len(train))
        if not math.isfinite(losses[-1]):
            raise SerError(
                f"{domain.corpus}: the loss of epoch {epoch} is not finite; try a lower train.lr"
            )
        curve.append(validation_ua(model, domain, validation, checks))
        if settings.select == "last" or curve[-1] > max(curve[:-1], default=-1.0):
            best = {name: value.clone() for name, value in model.state_dict().items()}
            chosen = epoch
        epoch_done()

    model.load_state_dict(best)
    return Fitted(model, losses, curve, chosen)


def training_loss(model: Recogniser, domain: Domain, rows: Tensor, config: Config) -> Tensor:
    """Cross-entropy plus alpha times the auxiliary loss (eq. 6) of one batch."""
    targets = domain.targets[rows]
    batch = augment(model.standardised(domain.batch(rows)), config.augment)
    fused = model.represent(batch)
    smoothing = config.train.label_smoothing
    if config.augment.mixup > 0:
        mixed, partner, weight = mix(fused, config.augment.mixup)
        logits = model.tower(mixed)
        own = F.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
        other = F.cross_entropy(
            logits, targets[partner], reduction="none", label_smoothing=smoothing
        )
        loss = (weight * own + (1 - weight) * other).mean()
    else:
        loss = F.cross_entropy(model.tower(fused), targets, label_smoothing=smoothing)
    alpha = config.train.alpha if config.train.alpha >= 0 else shape_of(domain.language).alpha
    if alpha > 0:
        loss = loss + alpha * model.auxiliary(fused, targets, len(domain.labels))
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


def validation_ua(
    model: Recogniser, domain: Domain, rows: Tensor, batches: Sequence[Tensor]
) -> float:
    """UA of the model on the utterances `rows`."""
    predicted = probabilities(model, domain, rows, batches).argmax(-1)
    truth = domain.targets[rows.to(domain.targets.device)].cpu()
    return unweighted_accuracy(
        confusion_matrix(truth.numpy(), predicted.numpy(), len(domain.labels))
    )
