"""`config.json`: everything that the numbers of a run depend on, resolved. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

from ...cache import FeatureKey
from ...errors import InputError
from ...manifests import Folds, LabelMap, Manifest
from ..baseline import BaselineSettings
from ..config import Config
from ..encoding import Encoding
from ..methods import METHODS
from ..model import make_spec
from ..network.spec import ModelSpec

FORMAT = 5
"""Of the run folder; others are not read."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class CorpusRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `config.json` says of a corpus: hashes of all that a number depends on."""

    manifest: str
    labels_hash: str
    language: Name
    labels: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1000)]
    utterances: int
    skipped: tuple[str, ...]
    split_hash: str


class RunConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of `config.json`.

    Attributes:
        features: canonical names of those that are fused, or given to the baseline.
        keys: of all features that are read, by their canonical names; those of perturbed recordings
            follow from them and the settings.
        settings: of a network, with their preset.
        baseline: the settings of a baseline that chooses its classifier.
        svm: those of the one that does not.
        corpora: those that it was trained on.
        folds: how many were asked for; None: the usual number.
        tested: corpora that it was tested on and not trained on, with the labels that it can give
            them; none: it was tested on parts of those that it was trained on.
        label_map: what became of emotions, see `LabelMap`; empty: they stayed.
        own_code: what stands for the code of a method of one's own.
    """

    format: int
    setting: str
    method: str
    corpora: Annotated[dict[str, CorpusRecord], msgspec.Meta(min_length=1, max_length=200)]
    features: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=200)]
    keys: dict[str, FeatureKey]
    protocol: str
    seeds: tuple[int, ...]
    device: str
    settings: Config | None = None
    baseline: BaselineSettings | None = None
    svm: dict[str, Any] = {}
    folds: Folds = None
    tested: Annotated[dict[str, CorpusRecord], msgspec.Meta(max_length=200)] = {}
    own_code: str = ""
    label_map: Annotated[dict[Name, str], msgspec.Meta(max_length=1000)] = {}

    @property
    def records(self) -> dict[str, CorpusRecord]:
        """All corpora: those that it was trained on, then those that it was tested on alone."""
        return {**self.corpora, **self.tested}

    @property
    def answered(self) -> list[str]:
        """The corpora that it was tested on, of which its metrics are."""
        return list(self.tested or self.corpora)

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities are."""
        return self.settings is not None and self.settings.train.calibrate

    @property
    def encoding(self) -> Encoding:
        """What becomes of sequence features before a network is trained."""
        assert self.settings is not None
        return Encoding.of(self.settings)

    def used(self, manifest: Manifest) -> Manifest:
        """The utterances of a corpus that the run used, with the labels that it gave them.

        Raises:
            InputError: the manifest is another than the run's.
        """
        if self.label_map:
            manifest = LabelMap(self.label_map).applied(manifest)
        skipped = {*self.records[manifest.corpus].skipped}
        kept = [id for id in manifest.ids if id not in skipped]
        return manifest.select(kept) if skipped else manifest

    def spec(self) -> ModelSpec | None:
        """What the models are built from; None of a baseline.

        Raises:
            InputError, ValueError, KeyError: no such model can be built.
        """
        if self.settings is None:
            return None
        shapes = {name: self.encoding.shape(name, key) for name, key in self.keys.items()}
        corpora = [
            _Corpus(corpus, record.language, record.labels)
            for corpus, record in self.corpora.items()
        ]
        if self.method not in METHODS:
            raise InputError(
                f"the method {self.method!r} is not known here; where it is one of your own, "
                "METHODS.add(name, method) of ser.train.methods makes it known"
            )
        return make_spec(METHODS[self.method], self.features, shapes, corpora, self.settings)


class _Corpus(NamedTuple):
    corpus: str
    language: str
    labels: tuple[str, ...]
