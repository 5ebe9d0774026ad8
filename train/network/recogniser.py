"""The recogniser, for one corpus or several: encoders, one way to fuse them, towers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...ge2e.encoder import SpeakerEncoder
from ..config import ModelSettings
from ..data import Batch, Domain, statistics
from ..methods import GE2E, GE2E_MEL, METHODS, SHARED, SINGLE
from .encoders import SequenceEncoder, Standardise, VectorEncoder, valid
from .fusion import Concatenation, Mixture
from .losses import AuxiliaryLoss
from .spec import FeatureShape, ModelSpec
from .towers import begin_alike, make_tower


def make_encoder(shape: FeatureShape, settings: ModelSettings) -> nn.Module:
    """The encoder of a feature: MFCC gets the paper's smaller, deeper LSTM."""
    if not shape.sequence:
        return VectorEncoder(shape.dim)
    filters, hidden, layers = (32, 64, 2) if shape.backbone == "mfcc" else (64, 128, 1)
    return SequenceEncoder(shape.dim, filters, hidden, layers, settings.conv_activation)


NORMALISATIONS = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Recogniser(nn.Module):
    """Features of an utterance of a corpus -> representation -> emotion."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.groups = {
            each.corpus: number if spec.model.standardise == "corpus" else 0
            for number, each in enumerate(spec.domains)
        }
        groups = max(self.groups.values()) + 1
        self.inputs = nn.ModuleList(Standardise(shape.dim, groups) for shape in spec.inputs)
        self.encoders = nn.ModuleList(make_encoder(shape, spec.model) for shape in spec.features)
        languages = list(dict.fromkeys(each.language for each in spec.domains))
        self.fusion: Concatenation | Mixture
        if spec.method == SINGLE:
            self.fusion = Concatenation(len(spec.features))
        else:
            selector = spec.selector.dim if spec.selector else 0
            self.fusion = Mixture(
                METHODS[spec.method],
                languages,
                len(spec.features),
                selector,
                spec.gate,
                spec.search,
            )
        size = self.fusion.size
        languages_of = {spec.tower(each.corpus): each.language for each in spec.domains}
        if SHARED in languages_of:
            languages_of[SHARED] = ""
        normalisation = NORMALISATIONS[spec.model.normalisation]
        self.norms = nn.ModuleDict({name: normalisation(size) for name in languages_of})
        self.dropout = nn.Dropout(spec.model.encoder_dropout)
        self.towers = nn.ModuleDict(
            {
                name: make_tower(
                    size,
                    len(spec.tower_labels(name)),
                    language,
                    spec.model.dropout,
                    spec.model.tower,
                )
                for name, language in languages_of.items()
            }
        )
        if spec.model.tower_init == "alike":
            begin_alike(self.towers, {name: spec.tower_labels(name) for name in self.towers})
        self.auxiliary = AuxiliaryLoss(spec.auxiliary.reduction, spec.auxiliary.exclude_self)
        self.speaker = SpeakerEncoder() if spec.finetune_ge2e else None

    def expected_l0(self, corpus: str) -> Tensor | float:
        """Expected number of open connections of the corpus' architecture search; 0 without one."""
        if not isinstance(self.fusion, Mixture):
            return 0.0
        connection = self.fusion.connection(self.spec.domain(corpus).language)
        return 0.0 if connection is None else connection.expected_l0()

    def columns(self, corpus: str) -> Tensor:
        """Where the labels of a corpus stand in the outputs of its tower: (labels,), int64."""
        outputs = self.spec.tower_labels(self.spec.tower(corpus))
        return torch.tensor([outputs.index(label) for label in self.spec.domain(corpus).labels])

    def fit_inputs(self, parts: Sequence[tuple[Domain, Tensor]]) -> None:
        """Set the standardisation of every input from utterances of the domains.

        Args:
            parts: of every domain the rows, on the host, that are for training.
        """
        by_group: dict[int, list[tuple[Domain, Tensor]]] = {}
        for domain, rows in parts:
            by_group.setdefault(self.groups[domain.corpus], []).append((domain, rows))
        for shape, standardise in zip(self.spec.inputs, self.inputs, strict=True):
            assert isinstance(standardise, Standardise)
            for group, members in by_group.items():
                frames = [(domain.features[shape.name], rows) for domain, rows in members]
                standardise.fit(group, *statistics(frames))

    def standardised(self, batch: Batch, corpus: str) -> Batch:
        """The inputs of a batch, every one shifted and scaled, padding zero again."""
        result = {}
        for shape, standardise in zip(self.spec.inputs, self.inputs, strict=True):
            if self.speaker is not None and shape.name == GE2E:
                frames, lengths = batch[GE2E_MEL]
                values = self.speaker.embed_padded(frames, lengths)
            else:
                values, lengths = batch[shape.name]
            values = standardise(values, self.groups[corpus])
            if values.dim() == 3:
                values = values * valid(lengths, values.shape[1])[..., None]
            result[shape.name] = (values, lengths)
        return result

    def encode(self, batch: Batch) -> Tensor:
        """A standardised batch -> one representation per feature (B, M, 256)."""
        encoded = [
            encoder(*batch[shape.name])
            for shape, encoder in zip(self.spec.features, self.encoders, strict=True)
        ]
        return torch.stack(encoded, dim=1)

    def represent(self, batch: Batch, corpus: str) -> Tensor:
        """A standardised batch -> what enters the tower (B, 256), or (B, 256 M) for one domain."""
        domain = self.spec.domain(corpus)
        selector = batch[self.spec.selector.name][0] if self.spec.selector else None
        fused: Tensor = self.fusion(self.encode(batch), domain.language, selector)
        normalised: Tensor = self.dropout(self.norms[self.spec.tower(corpus)](fused))
        return normalised

    def classify(self, fused: Tensor, corpus: str) -> Tensor:
        """What enters the tower -> logits over all labels of the tower."""
        logits: Tensor = self.towers[self.spec.tower(corpus)](fused)
        return logits

    def forward(self, batch: Batch, corpus: str) -> Tensor:
        """A batch of cached features of a corpus -> logits (B, labels of the corpus)."""
        fused = self.represent(self.standardised(batch, corpus), corpus)
        return self.classify(fused, corpus)[:, self.columns(corpus).to(fused.device)]
