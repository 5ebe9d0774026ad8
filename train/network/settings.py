"""Settings of the network's parts. Imports no torch, so that they are checked at once."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

COLDEST, HOTTEST = 0.1, 100.0
"""What a temperature can be."""

Temperature = Annotated[float, Meta(ge=COLDEST, le=HOTTEST)]
"""T of the calibrated probabilities p^(1/T), normalised."""

NARROWEST = 0.1
"""A speaker's deviation is never below this share of that of the training part."""

LEAST = 1e-12
"""A lower probability counts as this one when it is calibrated."""


class ModelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The network, as far as it is not fixed by the features and the language."""

    standardise: Literal["shared", "corpus", "speaker", "causal"]
    shrinkage: Annotated[float, Meta(ge=0.0, le=10_000.0)]
    confounded: bool
    encoder: Literal["attention", "functionals"]
    components: Annotated[int, Meta(ge=0, le=10_000)]
    tower: Literal["deep", "linear", "logits"]
    tower_init: Literal["own", "alike"]
    dropout: Annotated[float, Meta(ge=0.0, le=0.95)]

    @property
    def by_speaker(self) -> bool:
        """Whether an input is standardised by what else is there of its speaker."""
        return self.standardise in ("speaker", "causal")


class GateSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The gates of several languages in one model (eq. 7)."""

    selector: str
    scale: Literal["one", "features"]
    init: Literal["linear", "even"]
    lr: Annotated[float, Meta(ge=0.0, le=100.0)]


class SearchSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The architecture search (eq. 8-9): its matrices, its gates, and when these learn."""

    share_transitions: bool
    l0: Annotated[float, Meta(ge=0.0, le=1000.0)]
    kappa: Annotated[float, Meta(ge=1e-6, le=1e6)]
    init: Literal["linear", "identity", "small"]
    rank: Annotated[int, Meta(ge=0, le=256)]
    normalise: bool
    lr: Annotated[float, Meta(ge=0.0, le=100.0)]
    gate_lr: Annotated[float, Meta(ge=0.0, le=10.0)]
    structure: Literal["learned", "open", "diagonal", "random"]
    draw: Annotated[int, Meta(ge=0, le=1_000_000)]
    target: Annotated[float, Meta(ge=0.0, le=1.0)]
    gap: Literal["signed", "absolute"]
    warmup: Annotated[float, Meta(ge=0.0, le=1.0)]
    freeze: Annotated[float, Meta(ge=0.0, le=1.0)]
    held_out: Annotated[float, Meta(ge=0.0, le=0.9)]

    def __post_init__(self) -> None:
        if self.warmup + self.freeze > 1:
            raise ValueError("search.warmup and search.freeze are more than all epochs together")
        phased = self.target < 1 or self.warmup > 0 or self.freeze > 0 or self.held_out > 0
        if self.structure == "learned" and phased and self.gate_lr == 0:
            raise ValueError(
                "search.target, warmup, freeze and held_out are for gates with a rate of their "
                "own, such as search.gate_lr=0.05"
            )


class AuxiliarySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The contrastive loss (eq. 3-6)."""

    reduction: Literal["sum", "mean"]
    exclude_self: bool
