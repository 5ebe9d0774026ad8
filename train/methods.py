"""The methods by name: what each is made of and which features it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .config import Config

SINGLE = "single"
"""The method of the single-domain model."""

SVM = "svm"
"""The method of the baseline."""

GE2E, GE2E_MEL = "ge2e", "ge2e_mel"
"""The feature that can be fine-tuned, and the frames that it is computed from."""

SHARED = "all_languages"
"""Name of a module that serves all languages."""

VECTOR_ENCODERS = ("functionals", "pooled")
"""Encodings that make a vector of a sequence; any other leaves it as it is."""


def module_name(language: str) -> str:
    """Name of a language's module; the bare code may be a name that torch uses, such as `to`."""
    return f"language_{language}"


@dataclass(frozen=True)
class Method:
    """What a method of the paper (section 5.2.2) is made of.

    Attributes:
        shared_tower: one tower over the union of labels, instead of one per language.
        gate: "" for none, "shared" for one, "language" for one per language.
        search: an architecture search per language, in front of the gate.
    """

    shared_tower: bool = False
    gate: str = ""
    search: bool = False


METHODS: Mapping[str, Method] = {
    "base": Method(shared_tower=True),
    "sb": Method(),
    "omoe": Method(gate="shared"),
    "mmoe": Method(gate="language"),
    "ours": Method(gate="language", search=True),
}
"""The methods for several corpora, by their names on the command line."""


def shares(method: str) -> Method:
    """What a method is made of; the single-domain model and the baseline share nothing."""
    return METHODS.get(method, Method())


def features_read(method: str, features: Sequence[str], config: Config | None) -> tuple[str, ...]:
    """Names of all features that a model reads: those asked for, the selector of its gates, and
    the frames of GE2E where that is fine-tuned."""
    names = list(features)
    if config is not None and shares(method).gate:
        names.append(config.gate.selector)
    if config is not None and config.train.finetune_ge2e:
        names.append(GE2E_MEL)
    return tuple(dict.fromkeys(names))
