"""What the paper fixes per language: the classification tower and the weight of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .spec import ModelSpec


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

    `deep` has the language's two hidden layers; `linear` has none: ReLU, dropout and the logits;
    `logits` has no ReLU either, so that logits are linear in what enters a linear encoder.
    """
    if kind != "deep":
        rectified = [nn.ReLU()] if kind == "linear" else []
        return nn.Sequential(*rectified, nn.Dropout(dropout), nn.Linear(size, classes))
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


def make_towers(spec: ModelSpec, size: int) -> nn.ModuleDict:
    """The classifiers of a model by name, (B, size) -> (B, labels of the tower)."""
    settings, labels = spec.model, {name: spec.tower_labels(name) for name in spec.towers}
    towers = nn.ModuleDict(
        {
            name: make_tower(size, len(labels[name]), language, settings.dropout, settings.tower)
            for name, language in spec.towers.items()
        }
    )
    if settings.tower_init == "alike":
        begin_alike(towers, labels)
    return towers


def begin_alike(towers: nn.ModuleDict, labels: Mapping[str, Sequence[str]]) -> None:
    """Give every tower the initial weights of the first of its shape: hidden layers, and of the
    logits those of the same emotion.

    So the encoders, which all towers share, are drawn the same way for an emotion in whatever
    language, from the first step on.
    """
    logits: dict[str, tuple[nn.Linear, int]] = {}
    hidden: dict[str, nn.Linear] = {}
    for name, tower in towers.items():
        layers = [layer for layer in tower.modules() if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for depth, layer in enumerate(layers[:-1]):
                first = hidden.setdefault(f"{depth} {layer.weight.shape}", layer)
                layer.load_state_dict(first.state_dict())
            last = layers[-1]
            for row, label in enumerate(labels[name]):
                key = f"{label} {last.in_features}"
                source, place = logits.setdefault(key, (last, row))
                last.weight[row] = source.weight[place]
                last.bias[row] = source.bias[place]
