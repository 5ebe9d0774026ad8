"""Cached features as a vector per utterance, in NumPy: what the baselines read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache import StoredFeatures
from ..manifests import Manifest
from .encoding import Encoding
from .functionals import vectors


@dataclass(frozen=True)
class Vectors:
    """The n utterances of one corpus with all features that were asked for.

    Attributes:
        speakers: of every utterance; blank where it is not known.
        targets: (n,): position in `labels` of each utterance's emotion.
        features: by name, (n, d).
        perturbed: the same utterances and features, by what their recordings were perturbed.
    """

    corpus: str
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    targets: NDArray[np.int64]
    features: Mapping[str, NDArray[np.floating[Any]]]
    perturbed: Mapping[str, Vectors] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[Vectors, ...]:
        """The utterances as they are, and as every perturbation has them."""
        return self, *self.perturbed.values()

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Positions of utterance ids, (len(ids),)."""
        position = {id: row for row, id in enumerate(self.ids)}
        return np.array([position[id] for id in ids], dtype=np.int64)


def united(of: Mapping[str, Vectors], labels: tuple[str, ...]) -> Vectors:
    """Several corpora as one: their utterances that have one of some emotions. Ids and speakers
    have their corpus before them, `emodb/03a01Fa`; a speaker who is not known stays blank.

    Args:
        of: by corpus, with the same features. One that has no perturbed versions, as it is tested
            alone, takes part in those of the first as it is.
    """
    position = {label: index for index, label in enumerate(labels)}
    kept = {
        corpus: np.flatnonzero([each.labels[target] in position for target in each.targets])
        for corpus, each in of.items()
    }
    rows = [(corpus, of[corpus], row) for corpus in of for row in kept[corpus]]
    first = next(iter(of.values()))
    return Vectors(
        corpus="+".join(of),
        labels=labels,
        ids=tuple(f"{corpus}/{each.ids[row]}" for corpus, each, row in rows),
        speakers=tuple(
            f"{corpus}/{each.speakers[row]}" if each.speakers[row] else ""
            for corpus, each, row in rows
        ),
        targets=np.array([position[e.labels[e.targets[row]]] for _, e, row in rows], np.int64),
        features={
            name: np.concatenate([of[corpus].features[name][kept[corpus]] for corpus in of])
            for name in first.features
        },
        perturbed={
            how: united({c: each.perturbed.get(how, each) for c, each in of.items()}, labels)
            for how in first.perturbed
        },
    )


def read_vectors(
    manifest: Manifest, stored: Mapping[str, StoredFeatures], encoding: Encoding
) -> Vectors:
    """Read features of a corpus that were found in the cache; checksums are verified.

    Of a sequence feature one utterance is in memory at a time.

    Args:
        encoding: one that makes a vector of every sequence.
    """
    table = manifest.table
    position = {label: index for index, label in enumerate(manifest.labels)}
    features = {}
    for name, feature in stored.items():
        if encoding.summarises(name, feature.key.kind == "sequence"):
            utterances = (feature[row] for row in range(len(feature)))
            features[name] = vectors(utterances, encoding.name)
        else:
            features[name] = feature.read().frames
    return Vectors(
        corpus=manifest.corpus,
        labels=manifest.labels,
        ids=manifest.ids,
        speakers=tuple(table["speaker"].tolist()),
        targets=np.array(
            [position[emotion] for emotion in table["emotion"].tolist()], dtype=np.int64
        ),
        features=features,
    )
