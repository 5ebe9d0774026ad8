"""What a model is made of: enough to build it again, beside its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...manifests.names import is_corpus_name, is_language
from ...manifests.vocabulary import ordered
from ..config import (
    AuxiliarySettings,
    Config,
    GateSettings,
    ModelSettings,
    SearchSettings,
    settings,
)
from ..methods import GE2E, METHODS, SHARED, SINGLE, module_name, shares

if TYPE_CHECKING:
    from ..data import Domain, Packed

MOST_DIM, MOST_FEATURES, MOST_CORPORA, MOST_LABELS = 1_000_000, 200, 200, 1000
"""Bounds of a model that is built from a file."""


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
    def from_dict(cls, values: Any, source: str = "model") -> ModelSpec:
        """The inverse of `to_dict`, of values that a stranger may have written.

        Raises:
            InputError: they are not those of a model; the message begins with `source`.
        """
        read = _Reader(source)
        names = ("method", "features", "selector", "domains", "finetune_ge2e")
        sections = ("model", "gate", "search", "auxiliary")
        read.names(values, (*names, *sections), "model")
        for name in sections:
            read.check(isinstance(values[name], dict), f"{name} is no section of settings")
        features = tuple(
            map(read.feature, read.items(values["features"], MOST_FEATURES, "features"))
        )
        domains = tuple(map(read.domain, read.items(values["domains"], MOST_CORPORA, "domains")))
        selector = values["selector"]
        found = cls(
            values["method"],
            features,
            None if selector is None else read.feature(selector),
            domains,
            values["finetune_ge2e"],
            **{name: settings(name, values[name], source) for name in sections},
        )
        read.whole(found)
        return found


@dataclass(frozen=True)
class _Reader:
    """Builds the parts of a spec from plain values, and raises InputError for what is none."""

    source: str

    def check(self, right: bool, problem: str) -> None:
        if not right:
            raise InputError(f"{self.source}: {problem}")

    def names(self, values: Any, names: Sequence[str], what: str) -> None:
        """Check that it is an object with exactly these names."""
        right = isinstance(values, dict) and values.keys() == set(names)
        self.check(right, f"{what}: expected {', '.join(names)}")

    def items(self, values: Any, most: int, what: str) -> list[Any]:
        right = isinstance(values, (list, tuple)) and 1 <= len(values) <= most
        self.check(right, f"{what}: expected a list of 1 to {most}")
        return list(values)

    def text(self, value: Any, what: str) -> str:
        right = isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable()
        self.check(right, f"{what} is no text")
        return str(value)

    def feature(self, values: Any) -> FeatureShape:
        self.names(values, ("name", "backbone", "dim", "sequence"), "a feature")
        name, dim = self.text(values["name"], "the name of a feature"), values["dim"]
        right = type(dim) is int and 1 <= dim <= MOST_DIM
        self.check(right, f"{name}: its size is not 1 to {MOST_DIM}")
        self.check(isinstance(values["sequence"], bool), f"{name}: sequence is not true or false")
        backbone = self.text(values["backbone"], f"{name}: its backbone")
        return FeatureShape(name, backbone, dim, values["sequence"])

    def domain(self, values: Any) -> DomainShape:
        self.names(values, ("corpus", "language", "labels"), "a domain")
        corpus = self.text(values["corpus"], "the name of a corpus")
        language = self.text(values["language"], f"{corpus}: its language")
        self.check(is_corpus_name(corpus), f"{corpus!r} is not the name of a corpus")
        self.check(is_language(language), f"{language!r} is no language")
        labels = [
            self.text(label, f"a label of {corpus}")
            for label in self.items(values["labels"], MOST_LABELS, f"the labels of {corpus}")
        ]
        self.check(len(set(labels)) == len(labels), f"{corpus}: a label stands twice")
        return DomainShape(corpus, language, tuple(labels))

    def whole(self, spec: ModelSpec) -> None:
        """Check that the parts go together."""
        known = isinstance(spec.method, str) and spec.method in (SINGLE, *METHODS)
        self.check(known, "its method is not known")
        self.check(type(spec.finetune_ge2e) is bool, "finetune_ge2e is not true or false")
        self.check(
            len({each.corpus for each in spec.domains}) == len(spec.domains),
            "a corpus stands twice",
        )
        shapes = {each.name: each for each in spec.inputs}
        self.check(len(shapes) == len(spec.inputs), "a feature stands twice")
        gated = bool(shares(spec.method).gate)
        self.check(gated == (spec.selector is not None), "its gates and its selector do not agree")
        vector = spec.selector is None or not spec.selector.sequence
        self.check(vector, "its selector is a sequence")
        self.check(not spec.finetune_ge2e or GE2E in shapes, f"it fine-tunes {GE2E} without it")
