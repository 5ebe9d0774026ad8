"""What the paper fixes per language: the classification tower and the weight of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Shape:
    """Tower of a language: units per hidden layer, the two activations, alpha of eq. 6."""

    units: int
    activations: tuple[type[nn.Module], type[nn.Module]]
    alpha: float


GERMAN = Shape(512, (nn.Tanh, nn.ReLU), 0.01)
SHAPES: Mapping[str, Shape] = {
    "en": Shape(256, (nn.Mish, nn.GELU), 0.1),
    "de": GERMAN,
    "fr": Shape(512, (nn.Tanh, nn.ReLU), 0.015),
}


def shape_of(language: str) -> Shape:
    """The paper's shape for a language; one that the paper does not have gets the German."""
    return SHAPES.get(language, GERMAN)


def make_tower(
    size: int, classes: int, language: str, dropout: float, kind: str = "deep"
) -> nn.Sequential:
    """The classifier, (B, size) -> (B, classes).

    `deep` has the language's two hidden layers; `linear` has none: ReLU, dropout and the logits.
    """
    if kind == "linear":
        return nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(size, classes))
    shape = shape_of(language)
    first, second = shape.activations
    return nn.Sequential(
        nn.Linear(size, shape.units),
        first(),
        nn.Dropout(dropout),
        nn.Linear(shape.units, shape.units),
        second(),
        nn.Dropout(dropout),
        nn.Linear(shape.units, classes),
    )
