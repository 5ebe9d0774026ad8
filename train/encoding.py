"""What becomes of features before training. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..cache import FeatureKey
from .config import Config
from .network.spec import GE2E_MEL, FeatureShape

SUMMARIES: Mapping[str, int] = {"functionals": 9, "pooled": 2, "mean": 1}
"""Encodings that make a vector of a sequence, and how many values of each value of a frame."""


@dataclass(frozen=True)
class Encoding:
    """Whether sequence features become vectors, once and for all epochs, and what goes with them.

    Attributes:
        name: one of `SUMMARIES`; any other leaves sequences as they are.
        keep: names of features that stay as they are all the same.
        heard: what statistics of its speaker go with every utterance: "speaker", of all that is
            there, "causal", of what was heard so far; blank: none.
    """

    name: str
    keep: tuple[str, ...] = ()
    heard: str = ""

    @classmethod
    def of(cls, settings: Config) -> Encoding:
        """What a network is trained on. The frames of GE2E are for GE2E itself."""
        model = settings.model
        return cls(
            model.encoder,
            (GE2E_MEL,) if settings.train.finetune_ge2e else (),
            model.standardise if model.by_speaker else "",
        )

    def summarises(self, feature: str, sequence: bool) -> bool:
        """Whether it makes a vector of a feature."""
        return sequence and self.name in SUMMARIES and feature not in self.keep

    def shape(self, feature: str, key: FeatureKey) -> FeatureShape:
        """What a model reads of a cached feature."""
        sequence = key.kind == "sequence"
        if self.summarises(feature, sequence):
            return FeatureShape(feature, key.backbone, key.dim * SUMMARIES[self.name], False)
        return FeatureShape(feature, key.backbone, key.dim, sequence)
