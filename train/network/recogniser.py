"""The recogniser, for one corpus or several: encoders, one way to fuse them, towers; or a published
system, which stands for the encoder of its one feature, and for the tower."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .encoders import (
    WIDE,
    PrincipalComponents,
    SequenceEncoder,
    Standardise,
    VectorEncoder,
    valid,
)
from .fusion import Concatenation, Fusion
from .spec import GE2E, GE2E_MEL, FeatureShape, ModelSpec, heard_of
from .systems.system import System
from .towers import make_towers

Batch = Mapping[str, tuple[Tensor, Tensor]]
"""Feature name -> (values, lengths): (B, L, dim) padded with zeros, or (B, dim) for a vector.

Where speakers are known, `heard_of(name)` -> mean and standard deviation of the feature over what
was heard of each utterance's speaker (B, 2, dim), and the number of utterances that was (B,).
"""

GE2E_RATE = 0.01
"""Learning rate of GE2E when it is fine-tuned, as a share of that of the rest (section 5.1)."""


def reduced(shape: FeatureShape, components: int) -> FeatureShape:
    """An input as its encoder takes it: a wide vector made smaller, where that is asked for."""
    wide = not shape.sequence and shape.dim > max(WIDE, components)
    return replace(shape, dim=components) if components and wide else shape


def make_reduction(shape: FeatureShape, components: int) -> nn.Module:
    """What makes a standardised input what its encoder takes."""
    dim = reduced(shape, components).dim
    return PrincipalComponents(shape.dim, dim) if dim < shape.dim else nn.Identity()


def make_encoder(shape: FeatureShape) -> nn.Module:
    """The encoder of a feature: MFCC gets the paper's smaller, deeper LSTM."""
    if not shape.sequence:
        return VectorEncoder(shape.dim)
    filters, hidden, layers = (32, 64, 2) if shape.backbone == "mfcc" else (64, 128, 1)
    return SequenceEncoder(shape.dim, filters, hidden, layers)


class Recogniser(nn.Module):
    """Features of an utterance of a corpus -> representation -> emotion.

    Args:
        fusion: makes what fuses the features.
        speaker: makes what computes GE2E of its frames, (B, L, 40) and lengths (B,) to (B, 256) by
            `embed_padded`; None where it is not fine-tuned.
        system: makes the network of a published system for a feature, in place of a fusion.
    """

    def __init__(
        self,
        spec: ModelSpec,
        fusion: Callable[[ModelSpec], Fusion] = Concatenation,
        speaker: Callable[[], nn.Module] | None = None,
        system: Callable[[FeatureShape], System] | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        by_corpus = spec.model.standardise == "corpus"
        self.groups = {
            domain.corpus: number if by_corpus else 0 for number, domain in enumerate(spec.domains)
        }
        groups = max(self.groups.values()) + 1
        shrinkage = spec.model.shrinkage
        self.inputs = nn.ModuleList(Standardise(s.dim, groups, shrinkage) for s in spec.inputs)
        # The order in which parts draw their initial weights is part of every number.
        few = spec.model.components
        self.reductions = nn.ModuleList(make_reduction(shape, few) for shape in spec.inputs)
        encoders = [(system or make_encoder)(reduced(s, few)) for s in spec.features]
        self.encoders = nn.ModuleList(encoders)
        self.fusion = fusion(spec)
        if isinstance(encoders[0], System):
            head = encoders[0].head
            labels = {tower: spec.tower_labels(tower) for tower in spec.towers}
            self.towers = nn.ModuleDict({tower: head(len(of)) for tower, of in labels.items()})
        else:
            self.towers = make_towers(spec, self.fusion.size)
        self.speaker: Any = speaker() if speaker else None

    def parameter_groups(
        self, without: Collection[nn.Parameter] = ()
    ) -> dict[float, list[nn.Parameter]]:
        """All parameters but some, by the share of the learning rate at which they learn."""
        groups = {1.0: [*self.encoders.parameters(), *self.towers.parameters()]}
        for rate, parameters in self.fusion.parameter_groups():
            groups.setdefault(rate, []).extend(parameters)
        if self.speaker is not None:
            groups.setdefault(GE2E_RATE, []).extend(self.speaker.parameters())
        grouped = [id(parameter) for group in groups.values() for parameter in group]
        if sorted(grouped) != sorted(map(id, self.parameters())):
            raise ValueError("parameter_groups: a parameter is left over, or in two groups")
        left_out = set(map(id, without))
        return {
            rate: [parameter for parameter in group if id(parameter) not in left_out]
            for rate, group in groups.items()
        }

    def penalty(self, corpus: str) -> Tensor | None:
        """What the fusion adds to the loss of a batch of the corpus, a scalar."""
        return self.fusion.penalty(self.spec.domain(corpus).language)

    def columns(self, corpus: str) -> Tensor:
        """Where the labels of a corpus stand in the outputs of its tower: (labels,), int64."""
        domain = self.spec.domain(corpus)
        outputs = self.spec.tower_labels(domain.tower)
        return torch.tensor([outputs.index(label) for label in domain.labels])

    def standardised(self, batch: Batch, corpus: str) -> Batch:
        """The inputs of a batch, every one shifted and scaled, padding zero again, and reduced."""
        result = {}
        parts = zip(self.spec.inputs, self.inputs, self.reductions, strict=True)
        for shape, standardise, reduce in parts:
            if self.speaker is not None and shape.name == GE2E:
                frames, lengths = batch[GE2E_MEL]
                values = self.speaker.embed_padded(frames, lengths)
            else:
                values, lengths = batch[shape.name]
            values = standardise(values, self.groups[corpus], batch.get(heard_of(shape.name)))
            if values.dim() == 3:
                values = values * valid(lengths, values.shape[1])[..., None]
            result[shape.name] = (reduce(values), lengths)
        return result

    def encode(self, batch: Batch) -> Tensor:
        """A standardised batch -> one representation per feature (B, M, 256), (B, 1, size) of a
        system."""
        encoded = [
            encoder(*batch[shape.name])
            for shape, encoder in zip(self.spec.features, self.encoders, strict=True)
        ]
        return torch.stack(encoded, dim=1)

    def represent(self, batch: Batch, corpus: str) -> Tensor:
        """A standardised batch -> what enters the tower (B, 256), or (B, 256 M) for one domain; of
        a system (B, size)."""
        selector = batch[self.spec.selector.name][0] if self.spec.selector else None
        language = self.spec.domain(corpus).language
        fused: Tensor = self.fusion(self.encode(batch), language, selector)
        return fused

    def weights(self, batch: Batch, corpus: str) -> Tensor:
        """A batch, of a model with a selector -> `Fusion.weights` of the features, (B, M)."""
        assert self.spec.selector is not None
        selector, _ = self.standardised(batch, corpus)[self.spec.selector.name]
        return self.fusion.weights(self.spec.domain(corpus).language, selector)

    def classify(self, fused: Tensor, corpus: str) -> Tensor:
        """What enters the tower -> logits over all labels of the tower."""
        logits: Tensor = self.towers[self.spec.domain(corpus).tower](fused)
        return logits

    def told(self, batch: Batch, corpus: str) -> Tensor:
        """A standardised batch of a corpus -> logits (B, labels of the corpus)."""
        fused = self.represent(batch, corpus)
        return self.classify(fused, corpus)[:, self.columns(corpus).to(fused.device)]

    def forward(self, batch: Batch, corpus: str) -> Tensor:
        """A batch of cached features of a corpus -> logits (B, labels of the corpus)."""
        return self.told(self.standardised(batch, corpus), corpus)

    def probabilities(self, batch: Batch, corpus: str) -> Tensor:
        """A batch of cached features of a corpus -> probabilities (B, labels of the corpus)."""
        return self.forward(batch, corpus).softmax(-1)
