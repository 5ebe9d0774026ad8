"""The single-domain recogniser: one encoder per feature, concatenated, one tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .config import AuxiliarySettings, ModelSettings
from .data import Batch, Domain
from .encoders import (
    SIZE,
    SequenceEncoder,
    Standardise,
    VectorEncoder,
    valid,
)
from .losses import AuxiliaryLoss
from .towers import make_tower


@dataclass(frozen=True)
class FeatureShape:
    """What the model must know of a feature: its name, what computed it, its size and kind."""

    name: str
    backbone: str
    dim: int
    sequence: bool


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build the model again, beside its weights."""

    features: tuple[FeatureShape, ...]
    language: str
    classes: int
    model: ModelSettings
    auxiliary: AuxiliarySettings

    @classmethod
    def of(cls, domain: Domain, model: ModelSettings, auxiliary: AuxiliarySettings) -> ModelSpec:
        """The spec for a domain."""
        shapes = tuple(
            FeatureShape(name, packed.backbone, packed.dim, packed.sequence)
            for name, packed in domain.features.items()
        )
        return cls(shapes, domain.language, len(domain.labels), model, auxiliary)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelSpec:
        """The inverse of `to_dict`."""
        return cls(
            tuple(FeatureShape(**shape) for shape in values["features"]),
            values["language"],
            values["classes"],
            ModelSettings(**values["model"]),
            AuxiliarySettings(**values["auxiliary"]),
        )


def make_encoder(shape: FeatureShape, settings: ModelSettings) -> nn.Module:
    """The encoder of a feature: MFCC gets the paper's smaller, deeper LSTM."""
    if not shape.sequence:
        return VectorEncoder(shape.dim)
    filters, hidden, layers = (32, 64, 2) if shape.backbone == "mfcc" else (64, 128, 1)
    return SequenceEncoder(shape.dim, filters, hidden, layers, settings.conv_activation)


NORMALISATIONS = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Recogniser(nn.Module):
    """Features of an utterance -> representation -> emotion.

    Everything is addressed by the order of `spec.features`.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.names = [shape.name for shape in spec.features]
        size = SIZE * len(self.names)
        self.inputs = nn.ModuleList(Standardise(shape.dim) for shape in spec.features)
        self.encoders = nn.ModuleList(make_encoder(shape, spec.model) for shape in spec.features)
        self.norm = NORMALISATIONS[spec.model.normalisation](size)
        self.dropout = nn.Dropout(spec.model.encoder_dropout)
        self.tower = make_tower(
            size, spec.classes, spec.language, spec.model.dropout, spec.model.tower
        )
        self.auxiliary = AuxiliaryLoss(spec.auxiliary.reduction, spec.auxiliary.exclude_self)

    def fit_inputs(self, domain: Domain, rows: Tensor) -> None:
        """Set the standardisation of every input from the utterances `rows`, on the host."""
        for name, standardise in zip(self.names, self.inputs, strict=True):
            assert isinstance(standardise, Standardise)
            standardise.fit(*domain.features[name].statistics(rows))

    def standardised(self, batch: Batch) -> Batch:
        """The same batch, every input shifted and scaled, padding zero again."""
        result = {}
        for name, standardise in zip(self.names, self.inputs, strict=True):
            values, lengths = batch[name]
            values = standardise(values)
            if values.dim() == 3:
                values = values * valid(lengths, values.shape[1])[..., None]
            result[name] = (values, lengths)
        return result

    def represent(self, batch: Batch) -> Tensor:
        """A standardised batch -> the concatenated representations (B, 256 M)."""
        encoded = [
            encoder(*batch[name]) for name, encoder in zip(self.names, self.encoders, strict=True)
        ]
        fused: Tensor = self.dropout(self.norm(torch.cat(encoded, dim=-1)))
        return fused

    def forward(self, batch: Batch) -> Tensor:
        """A batch of cached features -> logits (B, classes)."""
        logits: Tensor = self.tower(self.represent(self.standardised(batch)))
        return logits


def probabilities(
    model: Recogniser, domain: Domain, rows: Tensor, batches: Sequence[Tensor]
) -> Tensor:
    """Softmax outputs of the utterances `rows`, in their order: (len(rows), classes), on the host.

    `batches` holds the same utterances, cut as is convenient.
    """
    model.eval()
    result = torch.zeros(len(domain.ids), len(domain.labels), device=domain.targets.device)
    with torch.inference_mode():
        for chosen in batches:
            result[chosen] = model(domain.batch(chosen)).softmax(-1)
    return result[rows].cpu()
