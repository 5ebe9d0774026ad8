"""How the representations of an utterance become the one vector that enters its tower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .encoders import SIZE
from .search import HardConcrete, LowRankTransitions, Transitions
from .settings import GateSettings, SearchSettings
from .spec import SHARED, ModelSpec, module_name


class Fusion(nn.Module):
    """What a method is: a subclass with a `forward`.

    What else is here does nothing unless a subclass has it otherwise.

    Args:
        spec: of the model; a fusion takes from it what it needs.

    Attributes:
        size: of the vector.
    """

    size = SIZE

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        """Fuse M representations of utterances of one language.

        Args:
            encoded: (B, M, 256).
            selector: (B, d), the standardised feature that gates look at, if the method has any.

        Returns:
            (B, size).
        """
        raise NotImplementedError

    def parameter_groups(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        """All parameters, each group with its share of the learning rate."""
        return [(1.0, self.parameters())]

    def penalty(self, language: str) -> Tensor | None:
        """What a batch of a language adds to the loss, a scalar."""
        return None

    def searched(self) -> Mapping[str, HardConcrete]:
        """By language, the gates of what is searched; `StructureSearch` says how."""
        return {}

    def weights(self, language: str, selector: Tensor) -> Tensor:
        """How much each representation counts, (B, M); (B, 0): it does not say."""
        return selector.new_empty(len(selector), 0)

    def structure(self, language: str) -> dict[str, Any]:
        """What was learned that is the same for all utterances of a language, as plain values."""
        return {}


class Concatenation(Fusion):
    """(B, M, 256) -> (B, 256 M): the single-domain model."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.size = SIZE * len(spec.features)

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        return encoded.flatten(1)


class Sum(Fusion):
    """The sum of the representations: the methods `base` and `sb`."""

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        return encoded.sum(1)


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


class Gated(Fusion):
    """The sum of the representations, weighted by a gate per language: `mmoe`."""

    shared = False
    """Whether one gate serves all languages."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        assert spec.selector is not None
        self.lr, dim, features = spec.gate.lr, spec.selector.dim, len(spec.features)
        names = [SHARED] if self.shared else map(module_name, spec.languages)
        self.gates = nn.ModuleDict({name: Gate(dim, features, spec.gate) for name in names})

    def gate(self, language: str) -> Gate:
        """The gate that serves a language."""
        gate: Gate = _serving(self.gates, language)
        return gate

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        gate = self.gate(language)
        return torch.einsum("bm,bmd->bd", gate.scale * gate(selector), encoded)

    def parameter_groups(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        return [(self.lr, self.gates.parameters())]

    def weights(self, language: str, selector: Tensor) -> Tensor:
        weights: Tensor = self.gate(language)(selector)
        return weights


class GatedTogether(Gated):
    """The same with one gate for all languages: `omoe`."""

    shared = True


class Searched(Gated):
    """The same as `Gated`, with an architecture search per language in front (eq. 8-9): `ours`."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.search, features = spec.search, len(spec.features)
        names = [module_name(language) for language in spec.languages]
        self.connections = nn.ModuleDict(
            {name: HardConcrete(features, features, spec.search.kappa) for name in names}
        )
        self.languages = spec.languages
        self.transitions = nn.ModuleDict(
            {
                name: _transitions(features, spec.search)
                for name in ([SHARED] if spec.search.share_transitions else names)
            }
        )

    def searched(self) -> Mapping[str, HardConcrete]:
        return {language: self.connection(language) for language in self.languages}

    def connection(self, language: str) -> HardConcrete:
        """The gates xi of a language's search."""
        connection: HardConcrete = _serving(self.connections, language)
        return connection

    def forward(self, encoded: Tensor, language: str, selector: Tensor | None) -> Tensor:
        transitions = _serving(self.transitions, language)
        encoded = transitions(encoded, self.connection(language)(encoded.shape[0]))
        return super().forward(encoded, language, selector)

    def parameter_groups(self) -> list[tuple[float, Iterable[nn.Parameter]]]:
        searched = [*self.connections.parameters(), *self.transitions.parameters()]
        return [*super().parameter_groups(), (self.search.lr, searched)]

    def penalty(self, language: str) -> Tensor | None:
        """`search.l0` times the expected number of open connections."""
        if self.search.l0 == 0:
            return None
        return self.search.l0 * self.connection(language).expected_l0()

    def structure(self, language: str) -> dict[str, Any]:
        """The matrix xi, whose row i has the inputs of the i-th gated representation; how many of
        its connections are open; the share that was between .1 and .9, before they were held if
        they are; the parameters of the open ones."""
        gates, transitions = self.connection(language), _serving(self.transitions, language)
        settled = gates.settled()
        count, undecided = int((settled > 0).sum()), gates.undecided
        return {
            "connections": settled.tolist(),
            "open": count,
            "undecided": gates.share_undecided() if undecided is None else undecided,
            "parameters": count * transitions.size_of_one,
        }


def _transitions(features: int, settings: SearchSettings) -> nn.Module:
    """Between representations."""
    how = settings.init, settings.normalise
    if settings.rank:
        return LowRankTransitions(features, features, SIZE, settings.rank, *how)
    return Transitions(features, features, SIZE, *how)


def _serving(modules: nn.ModuleDict, language: str) -> Any:
    """The module that serves a language: the shared one, or its own."""
    return modules[SHARED if SHARED in modules else module_name(language)]
