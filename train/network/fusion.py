"""How the representations of an utterance become the one vector that enters its tower.

The ways differ in what the languages of a model share: see `METHODS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..config import GateSettings, SearchSettings
from ..methods import SHARED, Method, module_name
from .encoders import SIZE
from .search import HardConcrete, Transitions


class Gate(nn.Module):
    """A weight for every representation, chosen by the selector x: softmax(W x) (eq. 7)."""

    def __init__(self, dim: int, features: int, settings: GateSettings) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, features, bias=False)
        if settings.init == "even":
            nn.init.zeros_(self.linear.weight)
        self.scale = features if settings.scale == "features" else 1

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim) -> weights (B, features) that add up to 1."""
        weights: Tensor = self.linear(x).softmax(-1)
        return weights


class Concatenation(nn.Module):
    """(B, M, 256) -> (B, 256 M): the single-domain model."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.size = SIZE * features

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        return encoded.flatten(1)


class Mixture(nn.Module):
    """(B, M, 256) -> (B, 256): the sum of the representations, gated and searched if asked for."""

    size = SIZE

    def __init__(
        self,
        method: Method,
        languages: Sequence[str],
        features: int,
        selector: int,
        gate: GateSettings,
        search: SearchSettings,
    ) -> None:
        super().__init__()
        self.method = method
        own = [module_name(language) for language in languages]
        gated: Mapping[str, Sequence[str]] = {"": [], "shared": [SHARED], "language": own}
        searched = own if method.search else []
        self.gates = nn.ModuleDict(
            {name: Gate(selector, features, gate) for name in gated[method.gate]}
        )
        self.connections = nn.ModuleDict(
            {name: HardConcrete(features, features, search.kappa) for name in searched}
        )
        moving = [SHARED] if search.share_transitions and searched else searched
        self.transitions = nn.ModuleDict(
            {name: Transitions(features, features, SIZE, search.init) for name in moving}
        )

    def gate(self, language: str) -> Gate | None:
        """The gate that serves a language, if the method has one."""
        return find(self.gates, language, Gate)

    def connection(self, language: str) -> HardConcrete | None:
        """The gates xi of a language's search, if the method has one."""
        return find(self.connections, language, HardConcrete)

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        connection = self.connection(language)
        if connection is not None:
            transitions = find(self.transitions, language, Transitions)
            assert transitions is not None
            encoded = transitions(encoded, connection())
        gate = self.gate(language)
        if gate is None:
            return encoded.sum(1)
        return torch.einsum("bm,bmd->bd", gate.scale * gate(selector), encoded)


M = TypeVar("M", bound=nn.Module)


def find(modules: nn.ModuleDict, language: str, kind: type[M]) -> M | None:
    """The module that serves a language: the shared one, its own, or none."""
    name = SHARED if SHARED in modules else module_name(language)
    if name not in modules:
        return None
    module = modules[name]
    assert isinstance(module, kind)
    return module
