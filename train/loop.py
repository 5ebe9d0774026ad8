"""The training loop of one model on one split of every corpus."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ..errors import SerError
from ..ge2e.weights import weights_file
from .augment import augment, mix
from .balance import balanced_draw, class_weights, log_priors
from .batches import shuffled_batches
from .config import Config
from .data import CPU, Domain, send, statistics
from .evaluate import evaluation_batches, standardised, validation_ua
from .methods import METHODS, Method
from .model import build
from .network.encoders import PrincipalComponents, Standardise
from .network.recogniser import Recogniser
from .network.spec import ModelSpec, heard_of
from .network.towers import shape_of
from .optimiser import AdamW
from .search_schedule import StructureSearch

EpochDone = Callable[[Mapping[str, float]], None]
"""Called after an epoch with the validation UA by corpus."""


@dataclass(frozen=True)
class DomainSplit:
    """What is trained on of a domain: rows of its utterances, on the host."""

    domain: Domain
    train: Tensor
    validation: Tensor


@dataclass(frozen=True)
class Fitted:
    """A trained model and its learning curve.

    Attributes:
        losses: mean training loss of every epoch.
        validation: by corpus, the validation UA of every epoch; empty without validation parts.
        epoch: the epoch, from 1, whose weights the model holds.
    """

    model: Recogniser
    losses: list[float]
    validation: dict[str, list[float]]
    epoch: int


def fit(
    splits: Sequence[DomainSplit],
    spec: ModelSpec,
    config: Config,
    seed: int,
    epoch_done: EpochDone = lambda validation: None,
    method: Method | None = None,
    epochs: int | None = None,
    like: Recogniser | None = None,
) -> Fitted:
    """Train a model on some domains; choose by the mean of their validation UAs, or, where the
    validation parts are empty, keep what the last epoch leaves.

    The seed sets the initial weights, the order, dropout and augmentation; torch's own generators
    are afterwards as they were. `epoch_done` is called after every
    epoch.

    Args:
        method: that of the spec; None: the one known by its name.
        epochs: stop after so many, on the schedule of all; None: all.
        like: see `Training`.

    Raises:
        SerError: the loss is not finite.
    """
    gpus = [split.domain.device for split in splits[:1] if split.domain.device.type == "cuda"]
    with torch.random.fork_rng(gpus):
        training = Training(splits, spec, config, seed, method, like)
        return _fit(training, epochs, epoch_done)


def _fit(training: Training, epochs: int | None, epoch_done: EpochDone) -> Fitted:
    model, settings = training.model, training.config.train
    checks = [
        (split.domain, inputs, evaluation_batches(split.domain, split.validation))
        for split, inputs in zip(training.splits, training.inputs, strict=True)
        if len(split.validation)
    ]
    losses: list[float] = []
    curves: dict[str, list[float]] = {domain.corpus: [] for domain, _, _ in checks}
    best, highest, chosen, last = model.state_dict(), -1.0, 0, epochs or settings.epochs

    for epoch in range(1, last + 1):
        losses.append(float(training.epoch()))
        if not math.isfinite(losses[-1]):
            raise SerError(
                f"{', '.join(training.corpora)}: the loss of epoch {epoch} is not finite; "
                "try a lower train.lr"
            )
        for domain, inputs, batches in checks:
            curves[domain.corpus].append(validation_ua(model, domain, inputs, batches))
        mean = sum(curve[-1] for curve in curves.values()) / max(len(curves), 1)
        pending = training.search.pending
        if settings.select == "last" or not curves:
            best, chosen = model.state_dict(), epoch
        elif pending or mean > highest:
            best = {name: value.clone() for name, value in model.state_dict().items()}
            highest, chosen = -1.0 if pending else mean, epoch
        epoch_done({corpus: curve[-1] for corpus, curve in curves.items()})

    model.load_state_dict(best)
    return Fitted(model, losses, curves, chosen)


class Training:
    """A model in training: with its loss, its optimiser and the order of its batches.

    Args:
        seed: of the initial weights, the order, dropout and augmentation: it seeds torch.
        method: that of the spec; None: the one known by its name.
        like: a model that was trained on the same parts, for what inputs are standardised by; None:
            that is computed.
    """

    def __init__(
        self,
        splits: Sequence[DomainSplit],
        spec: ModelSpec,
        config: Config,
        seed: int,
        method: Method | None = None,
        like: Recogniser | None = None,
    ) -> None:
        self.splits, self.config = list(splits), config
        self.device = splits[0].domain.device
        torch.manual_seed(seed)
        self.order = torch.Generator().manual_seed(seed)
        method = method or METHODS.find(spec.method)
        model = build(spec, method)
        if model.speaker is not None:
            from ..ge2e.encoder import published

            model.speaker = published(weights_file())
        if like is None:
            fit_inputs(model, [(split.domain, split.train) for split in splits])
        else:
            model.inputs.load_state_dict(like.inputs.state_dict())
            model.reductions.load_state_dict(like.reductions.state_dict())
        self.model = model.to(self.device)
        self.auxiliary = method.make_auxiliary(config.auxiliary).to(self.device)
        self.inputs = [standardised(self.model, split.domain) for split in splits]
        self.lengths = [split.domain.lengths() for split in splits]
        epochs, batch_size = config.train.epochs, config.train.batch_size
        gates = model.fusion.searched()
        self.search = StructureSearch(
            gates, splits, self.lengths, config.search, epochs, batch_size, seed
        )
        parts = [part for epoch in range(epochs) for part in self.search.parts(epoch)]
        steps = sum(math.ceil(len(part.train) / batch_size) for part in parts)
        groups = model.parameter_groups(without=self.search.parameters)
        groups[1.0].extend(self.auxiliary.parameters())
        self.optimiser = AdamW(
            groups, config.train.lr, config.train.weight_decay, lr_factor(config, steps)
        )
        self.epochs = 0
        self.targets, self.weights, self.priors = [], [], []
        for domain, rows in ((split.domain, split.train) for split in splits):
            every = domain.all_versions(torch.arange(len(domain.ids)))
            targets = model.columns(domain.corpus)[domain.truth(every)]
            classes = len(spec.tower_labels(spec.domain(domain.corpus).tower))
            self.targets.append(targets.to(self.device))
            self.weights.append(class_weights(targets[rows], classes).to(self.device))
            self.priors.append(log_priors(targets[rows], classes).to(self.device))

    @property
    def corpora(self) -> list[str]:
        """Their names."""
        return [split.domain.corpus for split in self.splits]

    def epoch(self) -> Tensor:
        """Train on every utterance once, but for those that a search keeps for its gates; the mean
        loss, a scalar on the device."""
        self.model.train()
        self.search.begin(self.epochs)
        parts, batch_size = self.search.parts(self.epochs), self.config.train.batch_size
        total = torch.zeros((), device=self.device)
        if self.config.train.balance == "sampler":
            parts = [_drawn(part, self.order) for part in parts]
        for number, rows in mixed_batches(parts, self.lengths, batch_size, self.order):
            drawn = self.splits[number].domain.any_versions(rows, self.order)
            total += self.step(number, drawn) * len(rows)
            self.search.step(number, self.loss)
        self.epochs += 1
        return total / sum(len(part.train) for part in parts)

    def step(self, number: int, rows: Tensor) -> Tensor:
        """Train on one batch: `rows`, on the host, of a split; its loss, a scalar on the device."""
        with precision(self.device, self.config.train.precision):
            loss = self.loss(number, rows)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def loss(self, number: int, rows: Tensor) -> Tensor:
        """Of one batch, see `step`: cross-entropy, alpha times the auxiliary loss (eq. 6), and the
        penalty of the method."""
        model, settings, domain = self.model, self.config, self.splits[number].domain
        targets = self.targets[number][send(rows, self.device)]
        weights = self.weights[number] if settings.train.balance == "weights" else None
        inputs = self.inputs[number](rows)
        fused = model.represent(augment(inputs, settings.augment), domain.corpus)
        if settings.augment.mixup > 0:
            mixed, partner, weight = mix(fused, settings.augment.mixup)
            logits = self.logits(number, mixed)
            losses = F.cross_entropy(logits, targets, weights, reduction="none")
            partners = F.cross_entropy(logits, targets[partner], weights, reduction="none")
            loss = (weight * losses + (1 - weight) * partners).mean()
        elif weights is not None:
            logits = self.logits(number, fused)
            loss = F.cross_entropy(logits, targets, weights, reduction="none").mean()
        else:
            logits = self.logits(number, fused)
            loss = F.cross_entropy(logits, targets)
        alpha = settings.train.alpha
        alpha = alpha if alpha >= 0 else shape_of(domain.language).alpha
        if alpha > 0:
            loss = loss + alpha * self.auxiliary(fused, targets, logits.shape[1])
        penalty = model.penalty(domain.corpus)
        return loss if penalty is None else loss + penalty

    def logits(self, number: int, fused: Tensor) -> Tensor:
        """What the loss is of, for representations of a split."""
        logits = self.model.classify(fused, self.splits[number].domain.corpus)
        return logits + self.priors[number] if self.config.train.balance == "logit" else logits


def _drawn(split: DomainSplit, order: torch.Generator) -> DomainSplit:
    """A split whose training part was drawn anew, with as much of each emotion."""
    truth = split.domain.truth(split.train)
    return replace(split, train=balanced_draw(split.train, truth, order))


def fit_inputs(model: Recogniser, training: Sequence[tuple[Domain, Tensor]]) -> None:
    """Set the standardisation of every input of a model, and the principal components of wide ones.

    Args:
        training: every domain, and the rows of its utterances, on the host, that are for training.
    """
    groups: dict[int, list[tuple[Domain, Tensor]]] = {}
    for domain, rows in training:
        groups.setdefault(model.groups[domain.corpus], []).append((domain, rows))
    for shape, standardise in zip(model.spec.inputs, model.inputs, strict=True):
        assert isinstance(standardise, Standardise)
        for group, domains in groups.items():
            frames = [
                (version.features[shape.name], rows)
                for domain, rows in domains
                for version in domain.versions
            ]
            standardise.fit(group, *statistics(frames))
    parts = zip(model.spec.inputs, model.inputs, model.reductions, strict=True)
    for shape, standardise, reduction in parts:
        if isinstance(reduction, PrincipalComponents):
            values = []
            for domain, rows in training:
                batch = domain.only([shape.name]).to(CPU).batch(domain.all_versions(rows))
                speaker = batch.get(heard_of(shape.name))
                group = model.groups[domain.corpus]
                values.append(standardise(batch[shape.name][0], group, speaker))
            reduction.fit(torch.cat(values))


def precision(device: torch.device, name: str) -> torch.autocast:
    """What the products of matrices and the LSTMs of training are computed in."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=name == "bfloat16")


def mixed_batches(
    splits: Sequence[DomainSplit],
    lengths: Sequence[Tensor],
    batch_size: int,
    order: torch.Generator,
) -> Iterator[tuple[int, Tensor]]:
    """The batches of an epoch, each from one domain, the domains in random order.

    Yields the number of the split and the rows of its domain.
    """
    batches = [
        shuffled_batches(split.train, costs, batch_size, order)
        for split, costs in zip(splits, lengths, strict=True)
    ]
    counts = torch.tensor([math.ceil(len(split.train) / batch_size) for split in splits])
    turns = torch.arange(len(splits)).repeat_interleave(counts)
    if len(splits) > 1:
        turns = turns[torch.randperm(len(turns), generator=order)]
    for number in turns.tolist():
        yield number, next(batches[number])


def lr_factor(config: Config, steps: int) -> Callable[[int], float]:
    """Learning rate of a step, as a share of the highest: constant, or half a cosine."""

    def factor(step: int) -> float:
        if config.train.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * step / max(steps, 1)))

    return factor
