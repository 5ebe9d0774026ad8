"""What a model is made of: enough to build it again, beside its weights. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ...errors import InputError
from .settings import GateSettings, ModelSettings, SearchSettings

GE2E, GE2E_MEL = "ge2e", "ge2e_mel"
"""The feature that can be fine-tuned, and the frames that it is computed from."""

SHARED = "all_languages"
"""Name of a module that serves all languages."""

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")]
"""Fit to be part of the name of a weight."""


def module_name(language: str) -> str:
    """Name of a language's module; the bare code may be a name that torch uses, such as `to`."""
    return f"language_{language}"


class FeatureShape(Struct, frozen=True, forbid_unknown_fields=True):
    """What the model must know of a feature: its name, what computed it, its size and kind."""

    name: Text
    backbone: Text
    dim: Annotated[int, Meta(ge=1, le=1_000_000)]
    sequence: bool


class DomainShape(Struct, frozen=True, forbid_unknown_fields=True):
    """A corpus that the model serves, and the tower that classifies it."""

    corpus: Name
    language: Name
    labels: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=1000)]
    tower: Name


class ModelSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """All that is needed to build the model again, beside its weights.

    Attributes:
        method: the name of what fuses the features.
        features: those that are fused.
        selector: what gates look at, if there are gates; it may be among the features.
        labels: all of the domains, in the order in which towers have them.
    """

    method: Text
    features: Annotated[tuple[FeatureShape, ...], Meta(min_length=1, max_length=200)]
    selector: FeatureShape | None
    domains: Annotated[tuple[DomainShape, ...], Meta(min_length=1, max_length=200)]
    labels: tuple[Text, ...]
    finetune_ge2e: bool
    model: ModelSettings
    gate: GateSettings
    search: SearchSettings

    def __post_init__(self) -> None:
        """Check that the parts go together; raises ValueError."""
        names = [shape.name for shape in self.inputs]
        texts = [self.method, *names, *self.labels, *(each.backbone for each in self.inputs)]
        served = {label for domain in self.domains for label in domain.labels}
        wrong = {
            "has text that cannot be printed": not all(map(str.isprintable, texts)),
            "names a feature twice": _twice(names),
            "has a corpus twice": _twice([domain.corpus for domain in self.domains]),
            "has a label twice": any(_twice(domain.labels) for domain in self.domains),
            "has other labels than its corpora": sorted(served) != sorted(self.labels),
            "has a selector that is a sequence": self.selector and self.selector.sequence,
            f"fine-tunes {GE2E} without it": self.finetune_ge2e and GE2E not in names,
        }
        for problem, there in wrong.items():
            if there:
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_dict(cls, values: Any, source: str = "model") -> ModelSpec:
        """The inverse of `to_dict`, of values that a stranger may have written.

        Raises:
            InputError: they are not those of a model; the message begins with `source`.
        """
        try:
            return msgspec.convert(values, cls)
        except (msgspec.ValidationError, ValueError) as error:
            raise InputError(f"{source}: {error}") from None


def _twice(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)
