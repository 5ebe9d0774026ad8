"""A request against a cache: which utterances, features and splits it means, and which jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec

from ...cache import Cache, FeatureKey
from ...errors import InputError, MissingFeaturesError
from ...machine import torch_device
from ...manifests import Manifest, Split, check_leaks_between, namesakes
from ..encoding import Encoding
from ..methods import features_read
from ..network.spec import GE2E_MEL, ModelSpec
from ..svm import SETTINGS as SVM_SETTINGS
from .request import Request, check_request
from .results import Metrics, corpus_metrics
from .run import FORMAT, CorpusRecord, RunConfig
from .software import code_of
from .splits import check_folds, heard_together, resolve_splits, trained_together

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from .jobs import Job


@dataclass(frozen=True)
class Experiment:
    """A request, resolved.

    Attributes:
        manifests: by corpus, of the utterances that are used.
        features: canonical names of those that are fused, or given to the baseline.
        keys: of all features that the model reads, by their canonical names.
        splits: by corpus, all repeats and folds; corpora have the same repeats, and each its own
            number of folds.
        skipped: by corpus, ids that were left out, if that was asked for.
    """

    request: Request
    manifests: Mapping[str, Manifest]
    features: tuple[str, ...]
    keys: Mapping[str, FeatureKey]
    splits: Mapping[str, Sequence[Split]]
    skipped: Mapping[str, Sequence[str]]

    @cached_property
    def device(self) -> torch.device:
        """Where it is trained; raises InputError where there is no such device."""
        return torch_device(self.request.device if self.request.network else "cpu")

    def jobs(self) -> list[Job]:
        """One for every repeat and fold, see `trained_together`."""
        from .jobs import Job

        config = self.request.config if self.request.network else None
        return [
            Job(self.request.model, self.features, splits, self.spec, config)
            for splits in trained_together(self.splits)
        ]

    @cached_property
    def spec(self) -> ModelSpec | None:
        """Of the models that are trained; None of the baseline."""
        return self.record().spec()

    @property
    def encoding(self) -> Encoding:
        """What becomes of sequence features before training."""
        return self.request.encoding

    def metrics(self, predictions: pd.DataFrame, seconds: Mapping[str, Any]) -> Metrics:
        """What `metrics.json` says.

        Args:
            predictions: see `predictions_of`.
        """
        request, config = self.request, self.request.config
        return {
            "setting": request.setting,
            "method": self.request.model.name,
            "features": list(self.features),
            "protocol": request.protocol,
            "preset": config.preset if request.network else None,
            "changes": list(config.changes) if request.network else [],
            "repeats": len({split.seed for split in next(iter(self.splits.values()))}),
            "namesakes": namesakes(self.manifests.values()),
            "domains": {
                corpus: corpus_metrics(
                    predictions[predictions["corpus"] == corpus],
                    manifest,
                    self.splits[corpus],
                    len(self.skipped.get(corpus, ())),
                )
                for corpus, manifest in self.manifests.items()
            },
            "seconds": dict(seconds),
        }

    def record(self) -> RunConfig:
        """What `config.json` says: everything that the numbers depend on."""
        request = self.request
        return RunConfig(
            format=FORMAT,
            setting=request.setting,
            method=self.request.model.name,
            corpora={
                corpus: CorpusRecord(
                    manifest=manifest.id,
                    labels_hash=digest(sorted(_labels(manifest))),
                    language=manifest.language,
                    labels=tuple(manifest.labels),
                    utterances=len(manifest),
                    skipped=tuple(self.skipped.get(corpus, ())),
                    split_hash=digest(
                        [(split.seed, split.fold, split.parts()) for split in self.splits[corpus]]
                    ),
                )
                for corpus, manifest in self.manifests.items()
            },
            features=self.features,
            keys={name: json.loads(key.canonical) for name, key in self.keys.items()},
            protocol=request.protocol,
            seeds=tuple(sorted({split.seed for split in next(iter(self.splits.values()))})),
            settings=request.config.to_dict() if request.network else dict(SVM_SETTINGS),
            device=self.device.type,
        )

    def about(self, job: Job) -> dict[str, Any]:
        """Everything that the numbers of one job depend on, as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self.record())
        settings = {k: v for k, v in values["settings"].items() if k not in ("preset", "changes")}
        corpora = {
            corpus: [values["corpora"][corpus][name] for name in ("manifest", "labels_hash")]
            for corpus in job.splits
        }
        splits = {
            corpus: [split.seed, split.fold, split.parts()] for corpus, split in job.splits.items()
        }
        fusion = job.method.fusion
        own = code_of(fusion) if isinstance(fusion, type) else ""
        named = {name: values[name] for name in ("method", "features", "keys", "device")}
        return {**named, "own": own, "settings": settings, "corpora": corpora, "splits": splits}


def resolve(
    request: Request, cache: Cache, left_out: Mapping[str, Collection[str]] | None = None
) -> Experiment:
    """Find out what a request means; torch is not imported for that.

    Args:
        left_out: by corpus, the utterances that `skip_missing` leaves out; None: those `lacking`.

    Raises:
        InputError: wrong usage, or corpora that do not go together.
        MissingFeaturesError: a feature is not cached; the message has the command to run.
        LeakError: a split leaks.
    """
    check_request(request)
    manifests = {corpus: cache.manifest(corpus) for corpus in request.corpora}
    check_labels(request, manifests)
    named = feature_keys(request, cache, manifests)
    keys = {key.feature: key for key in named.values()}
    if len(keys) < len({key.hash for key in named.values()}):
        raise InputError(f"{', '.join(named)}: two versions of one feature; leave one of them out")
    skipped: dict[str, Sequence[str]] = {}
    if request.skip_missing:
        if left_out is None:
            left_out = _lacking(cache, manifests, named)
        for corpus, manifest in manifests.items():
            kept = [id for id in manifest.ids if id not in left_out[corpus]]
            if not kept:
                raise MissingFeaturesError(
                    f"{corpus}: no utterance has all features ({', '.join(named)})"
                )
            manifests[corpus] = manifest.select(kept)
            skipped[corpus] = sorted(left_out[corpus])
    splits = {corpus: resolve_splits(request, each) for corpus, each in manifests.items()}
    check_folds(splits, made=request.splits is None)
    check_leaks_between(manifests, heard_together(splits))
    selector = request.config.gate.selector
    if selector in named and named[selector].feature != selector:
        request = request.changed(f"gate.selector={named[selector].feature}")
    features = tuple(named[name].feature for name in request.features)
    return Experiment(request, manifests, features, keys, splits, skipped)


def resolve_all(requests: Mapping[str, Request], cache: Cache) -> dict[str, Experiment]:
    """Find out what requests over the same corpora mean, by their names.

    Where utterances are left out, they are those that lack what any of the requests reads, so that
    all train and test on the same ones.

    Raises as `resolve`.
    """
    left_out: dict[str, set[str]] = {}
    for request in requests.values():
        if request.skip_missing:
            for corpus, ids in lacking(request, cache).items():
                left_out.setdefault(corpus, set()).update(ids)
    return {name: resolve(each, cache, left_out) for name, each in requests.items()}


def lacking(request: Request, cache: Cache) -> dict[str, set[str]]:
    """By corpus, the utterances that lack a feature which the request reads.

    Raises as `resolve`.
    """
    check_request(request)
    manifests = {corpus: cache.manifest(corpus) for corpus in request.corpora}
    return _lacking(cache, manifests, feature_keys(request, cache, manifests))


def _lacking(
    cache: Cache, manifests: Mapping[str, Manifest], keys: Mapping[str, FeatureKey]
) -> dict[str, set[str]]:
    return {
        corpus: {id for key in keys.values() for id in cache.missing(key, manifest)}
        for corpus, manifest in manifests.items()
    }


def check_labels(request: Request, manifests: Mapping[str, Manifest]) -> None:
    """Raise InputError if corpora that would share a tower have no emotion in common.

    One tower over labels of which each corpus has its own learns to tell corpora apart.
    """
    if request.setting != "multidomain":
        return
    shared = request.model.shared_tower
    for one, other in combinations(manifests.values(), 2):
        together = shared or one.language == other.language
        if together and not set(one.labels) & set(other.labels):
            raise InputError(
                f"{one.corpus} and {other.corpus} would share a classifier "
                f"({'--method base' if shared else f'both are {one.language}'}), but have no "
                f"emotion in common ({', '.join(one.labels)}; {', '.join(other.labels)}), so their "
                "label sets cannot be united"
            )


def feature_keys(
    request: Request, cache: Cache, manifests: Mapping[str, Manifest]
) -> dict[str, FeatureKey]:
    """The keys of all features that the model reads, by the names that they were asked for, the
    same for every corpus.

    Raises:
        MissingFeaturesError: one is not cached for a corpus.
        InputError: one is named twice, is another in two corpora, or cannot be the selector.
    """
    config = request.config if request.network else None
    read = features_read(request.model, request.features, config)
    selector = request.config.gate.selector
    found: dict[str, FeatureKey] = {}
    for corpus, manifest in manifests.items():
        keys = cache.resolve_all(request.features, manifest)
        for name in read:
            if name not in keys:
                keys[name] = _extra_key(name, cache, manifest)
        for name, key in keys.items():
            if found.setdefault(name, key).hash != key.hash:
                raise InputError(
                    f"{name} of {corpus} is another version than that of "
                    f"{next(iter(manifests))}: {key.feature}@{key.hash[:8]} and "
                    f"{found[name].feature}@{found[name].hash[:8]}; extract the same for both"
                )
    if len({found[name].hash for name in request.features}) < len(request.features):
        raise InputError(f"--features {','.join(request.features)}: a feature is named twice")
    if request.model.gated and request.encoding.shape(selector, found[selector]).sequence:
        raise InputError(
            f"gate.selector={selector}: is a sequence; the gates look at one vector for every "
            "utterance, such as ge2e"
        )
    return found


def _extra_key(name: str, cache: Cache, manifest: Manifest) -> FeatureKey:
    """The key of a feature that was not asked for by --features."""
    try:
        return cache.resolve(name, manifest)
    except MissingFeaturesError as error:
        if name == GE2E_MEL:
            raise MissingFeaturesError(f"train.finetune_ge2e=true needs frames: {error}") from None
        raise MissingFeaturesError(
            f"the gates look at {name} (gate.selector): {error}\n"
            "Or let them look at another: --set gate.selector=FEATURE"
        ) from None


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of a plain value, written as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _labels(manifest: Manifest) -> list[tuple[str, str, str]]:
    rows = manifest.table[["id", "speaker", "emotion"]].itertuples(index=False, name=None)
    return [(str(id), str(speaker), str(emotion)) for id, speaker, emotion in rows]
