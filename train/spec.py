"""What a model is made of: enough to build it again, beside its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_type_hints

from ..errors import InputError
from ..manifests.vocabulary import ordered
from .config import (
    AuxiliarySettings,
    Config,
    GateSettings,
    ModelSettings,
    SearchSettings,
)
from .data import Domain, Packed
from .fusion import SHARED, module_name, shares

SINGLE = "single"
"""The method of the single-domain model."""

GE2E, GE2E_MEL = "ge2e", "ge2e_mel"
"""The feature that can be fine-tuned, and the frames that it is computed from."""


def features_read(method: str, features: Sequence[str], config: Config | None) -> tuple[str, ...]:
    """Names of all features that a model reads: those asked for, the selector of its gates, and
    the frames of GE2E where that is fine-tuned."""
    names = list(features)
    if config is not None and shares(method).gate:
        names.append(config.gate.selector)
    if config is not None and config.train.finetune_ge2e:
        names.append(GE2E_MEL)
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class FeatureShape:
    """What the model must know of a feature: its name, what computed it, its size and kind."""

    name: str
    backbone: str
    dim: int
    sequence: bool

    @classmethod
    def of(cls, name: str, packed: Packed) -> FeatureShape:
        """The shape of loaded features."""
        return cls(name, packed.backbone, packed.dim, packed.sequence)


@dataclass(frozen=True)
class DomainShape:
    """A corpus that the model serves."""

    corpus: str
    language: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build the model again, beside its weights.

    Attributes:
        method: `single`, for one corpus, or one of `METHODS`.
        features: those that are fused.
        selector: what the gates look at, if there are gates; it may be among the features.
    """

    method: str
    features: tuple[FeatureShape, ...]
    selector: FeatureShape | None
    domains: tuple[DomainShape, ...]
    finetune_ge2e: bool
    model: ModelSettings
    gate: GateSettings
    search: SearchSettings
    auxiliary: AuxiliarySettings

    @classmethod
    def of(
        cls, method: str, features: Sequence[str], domains: Sequence[Domain], config: Config
    ) -> ModelSpec:
        """The spec for domains that have the features and the selector."""
        loaded = domains[0].features
        selector = config.gate.selector
        return cls(
            method,
            tuple(FeatureShape.of(name, loaded[name]) for name in features),
            FeatureShape.of(selector, loaded[selector]) if shares(method).gate else None,
            tuple(DomainShape(each.corpus, each.language, each.labels) for each in domains),
            config.train.finetune_ge2e,
            config.model,
            config.gate,
            config.search,
            config.auxiliary,
        )

    @property
    def inputs(self) -> tuple[FeatureShape, ...]:
        """The features that are standardised: those that are fused, then the selector."""
        if self.selector is None or self.selector in self.features:
            return self.features
        return (*self.features, self.selector)

    def domain(self, corpus: str) -> DomainShape:
        """A corpus that the model serves; raises InputError for another."""
        for each in self.domains:
            if each.corpus == corpus:
                return each
        known = ", ".join(each.corpus for each in self.domains)
        raise InputError(f"the model was trained for {known}, not for {corpus}")

    def tower(self, corpus: str) -> str:
        """Name of the tower that classifies a corpus."""
        if shares(self.method).shared_tower:
            return SHARED
        return module_name(self.domain(corpus).language)

    def tower_labels(self, tower: str) -> tuple[str, ...]:
        """The union of the labels of all corpora that a tower classifies."""
        served = [each.labels for each in self.domains if self.tower(each.corpus) == tower]
        return ordered(label for labels in served for label in labels)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelSpec:
        """The inverse of `to_dict`."""
        kinds = get_type_hints(cls)
        settings = {
            name: kinds[name](**values[name]) for name in ("model", "gate", "search", "auxiliary")
        }
        selector = values["selector"]
        return cls(
            method=values["method"],
            features=tuple(FeatureShape(**shape) for shape in values["features"]),
            selector=FeatureShape(**selector) if selector else None,
            domains=tuple(
                DomainShape(each["corpus"], each["language"], tuple(each["labels"]))
                for each in values["domains"]
            ),
            finetune_ge2e=values["finetune_ge2e"],
            **settings,
        )
