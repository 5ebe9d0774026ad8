"""What an extraction would do, found out without computing or writing any of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cache import Cache, ManifestChange, manifest_change, with_known_ids
from ..errors import MissingWeightsError
from ..manifests import BadFile, Corpus, Manifest
from ..portion import ALL, Portion
from ..progress import Progress
from ..workers import Workers
from .backbones.backbone import Backbone
from .backbones.registry import make_backbones
from .distant import Root
from .found import find_corpus
from .joined import joint_cache


@dataclass(frozen=True)
class FeaturePlan:
    """One feature of a corpus.

    Attributes:
        missing: utterances to compute.
        hours: of their audio.
        size: bytes that they take in the cache, about; None where that is not known yet.
        lacks: why it cannot be computed here: its weights are missing; "" otherwise.
    """

    feature: str
    missing: int
    hours: float
    size: int | None
    lacks: str


@dataclass(frozen=True)
class ExtractPlan:
    """What `extract_corpus` would do.

    Attributes:
        utterances: that features are wanted of.
        bad: files that are of no use to any feature.
        known: whether the cache has a manifest of the corpus.
        manifest: what putting this one there would come to.
    """

    corpus: str
    root: Root
    utterances: int
    features: list[FeaturePlan]
    bad: list[BadFile]
    known: bool
    manifest: ManifestChange

    @property
    def to_do(self) -> bool:
        """Whether there is anything to do."""
        return self.manifest.saved is not None or any(plan.missing for plan in self.features)


def plan_corpus(
    corpus: str | Corpus | Manifest,
    root: Path | str | None = None,
    features: str | Backbone | Iterable[str | Backbone] = ("mfcc", "ge2e"),
    cache: Cache | Path | str | None = None,
    *,
    csv: Path | str | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    manifest: Manifest | Path | str | None = None,
    replace: bool = False,
    portion: Portion = ALL,
    crew: Workers | None = None,
    remote: str | None = None,
    progress: Progress | None = None,
) -> ExtractPlan:
    """What `extract_corpus` would compute, and what the cache has already.

    Files that were not decoded before are, to know what is in them, as it would do too.

    Raises:
        InputError, MissingPackageError: as `extract_corpus`; weights may be missing.
    """
    cache = Cache.of(cache)
    if remote is not None:
        cache = joint_cache(cache, remote, crew)
    if isinstance(features, str):
        features = features.split(",")
    elif isinstance(features, Backbone):
        features = [features]
    made = [(str(feature), _made(feature)) for feature in features]
    with progress or Progress() as shown:
        found = find_corpus(
            *(corpus, root, shown),
            csv=csv,
            language=language,
            options=options,
            manifest=manifest,
        )
    whole = with_known_ids(cache, found.build.manifest)
    asked = [id for id in whole.ids if portion.has(id)]
    return ExtractPlan(
        corpus=found.name,
        root=found.folder,
        utterances=len(asked),
        features=[_plan(cache, whole, asked, name, backbone) for name, backbone in made],
        bad=[file for file in found.build.bad if portion.has(file.id)],
        known=found.name in cache.corpora(),
        manifest=manifest_change(cache, whole, replace or found.given),
    )


def _made(feature: str | Backbone) -> Backbone | MissingWeightsError:
    """The backbone of a feature, or why there is none yet."""
    try:
        return next(iter(make_backbones([feature]).values()))
    except MissingWeightsError as error:
        return error


def _plan(
    cache: Cache,
    manifest: Manifest,
    asked: list[str],
    name: str,
    backbone: Backbone | MissingWeightsError,
) -> FeaturePlan:
    seconds = dict(zip(manifest.ids, manifest.table["duration"].tolist(), strict=True))
    if isinstance(backbone, MissingWeightsError):
        hours = sum(seconds[id] for id in asked) / 3600
        return FeaturePlan(name, len(asked), hours, None, str(backbone))
    missing = set(cache.missing(backbone.key(), manifest)).intersection(asked)
    duration = sum(seconds[id] for id in missing)
    rows = duration * backbone.frame_rate if backbone.frame_rate else len(missing)
    size = round(rows * backbone.dim * np.dtype(backbone.dtype).itemsize)
    return FeaturePlan(backbone.feature, len(missing), duration / 3600, size, "")
