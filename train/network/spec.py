"""What a model is made of. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from .settings import GateSettings, ModelSettings, SearchSettings

GE2E, GE2E_MEL = "ge2e", "ge2e_mel"
"""The feature that can be fine-tuned, and the frames that it is computed from."""

SHARED = "all_languages"
"""Name of a module that serves all languages."""


def module_name(language: str) -> str:
    """Name of a language's module; the bare code may be a name that torch uses, such as `to`."""
    return f"language_{language}"


def heard_of(feature: str) -> str:
    """Under which name a batch has what is known of each speaker by a feature."""
    return f"{feature} of the speaker"


@dataclass(frozen=True)
class FeatureShape:
    """What the model must know of a feature: its name, what computed it, its size and kind."""

    name: str
    backbone: str
    dim: int
    sequence: bool


@dataclass(frozen=True)
class DomainShape:
    """A corpus that the model serves, and the tower that classifies it."""

    corpus: str
    language: str
    labels: tuple[str, ...]
    tower: str


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build the model again, beside its weights.

    Attributes:
        method: the name of what fuses the features.
        features: those that are fused.
        selector: what gates look at, if there are gates; it may be among the features.
        labels: all of the domains, in the order in which towers have them.
    """

    method: str
    features: tuple[FeatureShape, ...]
    selector: FeatureShape | None
    domains: tuple[DomainShape, ...]
    labels: tuple[str, ...]
    finetune_ge2e: bool
    model: ModelSettings
    gate: GateSettings
    search: SearchSettings

    def __post_init__(self) -> None:
        """Check that the parts go together; raises ValueError."""
        names = [shape.name for shape in self.inputs]
        wrong = {
            "reads a feature twice": _twice(names),
            "has a corpus twice": _twice([domain.corpus for domain in self.domains]),
            "has a label twice": any(_twice(domain.labels) for domain in self.domains),
            "has a selector that is a sequence": self.selector and self.selector.sequence,
            f"fine-tunes {GE2E} without it": self.finetune_ge2e and GE2E not in names,
        }
        for problem, is_so in wrong.items():
            if is_so:
                raise ValueError(f"the model {problem}")

    @property
    def inputs(self) -> tuple[FeatureShape, ...]:
        """The features that are standardised: those that are fused, then the selector."""
        if self.selector is None or self.selector in self.features:
            return self.features
        return (*self.features, self.selector)

    @property
    def languages(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(domain.language for domain in self.domains))

    @property
    def towers(self) -> dict[str, str]:
        """The language of every tower; that of all languages has none."""
        towers = {domain.tower: domain.language for domain in self.domains}
        return towers | ({SHARED: ""} if SHARED in towers else {})

    def domain(self, corpus: str) -> DomainShape:
        """A corpus that the model serves; raises InputError for another."""
        for domain in self.domains:
            if domain.corpus == corpus:
                return domain
        known = ", ".join(domain.corpus for domain in self.domains)
        raise InputError(f"the model was trained for {known}, not for {corpus}")

    def tower_labels(self, tower: str) -> tuple[str, ...]:
        """The union of the labels of all corpora that a tower classifies."""
        domains = [domain for domain in self.domains if domain.tower == tower]
        return tuple(label for label in self.labels if any(label in d.labels for d in domains))


def _twice(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
