"""A request against a cache: which utterances, features and splits it means, and which jobs."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec

from ...cache import Cache, FeatureKey
from ...errors import InputError, MissingFeaturesError
from ...machine import torch_device
from ...manifests import Manifest, Split, check_leaks_between, namesakes
from ..svm import SETTINGS as SVM_SETTINGS
from .by_speaker import check_by_speaker, note_by_speaker
from .features import check_perturbed, feature_keys, perturbed_keys
from .request import Request, check_request
from .results import Metrics, TrainedOn, corpus_metrics
from .run_config import FORMAT, CorpusRecord, RunConfig
from .software import own_code
from .splits import check_folds, heard_together, resolve_splits, trained_together
from .whole import emotions_of_others, ids_with

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
        keys: of all features that the model reads, by their canonical names; those of perturbed
            recordings, which corpora that are trained on have too, follow from them.
        splits: by corpus, all repeats and folds; corpora have the same repeats, and each its own
            number of folds.
        skipped: by corpus, ids that were left out, if that was asked for, and of corpora that are
            tested alone those with other emotions.
        others: by corpus that is tested alone, these emotions, and of how many utterances.
        relabelled: by corpus, what the label map changed, as a sentence.
    """

    request: Request
    manifests: Mapping[str, Manifest]
    features: tuple[str, ...]
    keys: Mapping[str, FeatureKey]
    splits: Mapping[str, Sequence[Split]]
    skipped: Mapping[str, Sequence[str]]
    others: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    relabelled: Mapping[str, str] = field(default_factory=dict)

    def versions(self, corpus: str) -> dict[str, Mapping[str, FeatureKey]]:
        """By perturbation, a blank one for none, the keys of all that is read of a corpus, by name:
        perturbed recordings are for training."""
        trained = corpus in self.request.trained
        return {"": self.keys, **(perturbed_keys(self.request, self.keys) if trained else {})}

    @cached_property
    def device(self) -> torch.device:
        """Where its networks are trained; raises InputError where there is no such device."""
        if self.request.elsewhere:
            import torch

            return torch.device(self.request.device)
        return torch_device(self.request.device)

    @cached_property
    def jobs(self) -> list[Job]:
        """One for every repeat and fold, see `trained_together`."""
        from .jobs import Job

        config = self.request.config if self.request.network else None
        spec, baseline = self.record.spec(), self.request.baseline
        jobs = [
            Job(self.request.model, self.features, splits, spec, config, baseline)
            for splits in trained_together(self.splits)
        ]
        if baseline is None or baseline.choose != "test":
            return jobs
        return [
            replace(job, folds=[each.splits for each in jobs if each.place[0] == job.place[0]])
            for job in jobs
        ]

    def metrics(self, predictions: pd.DataFrame, seconds: Mapping[str, Any]) -> Metrics:
        """What `metrics.json` says.

        Args:
            predictions: see `predictions_of`.
        """
        request, config = self.request, self.request.config
        changes = config.changes if request.network else ()
        if request.baseline:
            changes = request.baseline.changes
        found: Metrics = {
            "setting": request.setting,
            "method": request.model.name,
            "features": list(self.features),
            "protocol": request.protocol,
            "preset": config.preset if request.network else None,
            "changes": list(changes),
            "repeats": len(self.record.seeds),
            "namesakes": namesakes(self.manifests.values()),
            "domains": {
                corpus: corpus_metrics(
                    predictions[predictions["corpus"] == corpus],
                    manifest,
                    self.splits[corpus],
                    len(self.skipped[corpus]),
                    request.encoding.heard,
                    self.others.get(corpus, {}),
                    self._said(manifest),
                )
                for corpus, manifest in self.manifests.items()
                if corpus in self.record.answered
            },
            "seconds": dict(seconds),
        }
        if request.tested:
            found["trained"] = self._trained()
        return found

    def _said(self, manifest: Manifest) -> list[str]:
        """What the numbers of a corpus rest on by the method and the settings."""
        request = self.request
        said = [request.model.caveat, self.relabelled.get(manifest.corpus, "")]
        if request.tested:  # of the others there is no word elsewhere
            trained = ((name, self.relabelled.get(name)) for name in request.trained)
            said += [f"{note} That is {name}, trained on." for name, note in trained if note]
        if request.encoding.heard:
            said.append(note_by_speaker(request.config.model, manifest))
        return list(filter(None, said))

    def _trained(self) -> dict[str, TrainedOn]:
        """What `metrics.json` says of corpora that are trained on alone."""
        return {
            corpus: {
                "language": record.language,
                "labels": list(record.labels),
                "utterances": record.utterances,
            }
            for corpus, record in self.record.corpora.items()
        }

    @cached_property
    def record(self) -> RunConfig:
        """What `config.json` says: everything that the numbers depend on."""
        request = self.request
        records = {corpus: self._record(corpus) for corpus in self.manifests}
        return RunConfig(
            format=FORMAT,
            setting=request.setting,
            method=request.model.name,
            corpora={corpus: records[corpus] for corpus in request.trained},
            tested={corpus: records[corpus] for corpus in request.tested},
            features=self.features,
            keys=dict(self.keys),
            protocol=request.protocol,
            folds=request.folds,
            seeds=tuple(sorted({s.seed for splits in self.splits.values() for s in splits})),
            device=self.device.type if request.network else "cpu",
            settings=request.config if request.network else None,
            baseline=request.baseline,
            svm={} if request.network or request.baseline else dict(SVM_SETTINGS),
            own_code=own_code(request.model),
            label_map=request.label_map.plain if request.label_map else {},
        )

    def _record(self, corpus: str) -> CorpusRecord:
        manifest = self.manifests[corpus]
        return CorpusRecord(
            manifest=manifest.id,
            labels_hash=labels_hash(manifest),
            language=manifest.language,
            labels=tuple(manifest.labels),
            utterances=len(manifest),
            skipped=tuple(self.skipped[corpus]),
            split_hash=digest(list(map(_plain, self.splits[corpus]))),
        )

    def about(self, job: Job) -> list[Any]:
        """Everything that the numbers of one job depend on, as plain values."""
        record = self.record
        settings = msgspec.to_builtins(record.settings or record.baseline or record.svm)
        if record.settings is not None:
            del settings["preset"], settings["changes"]
        corpora: list[Any] = []
        for corpus, split in job.splits.items():
            about = record.records[corpus]
            corpora.append([corpus, about.manifest, about.labels_hash, *_plain(split)])
        if job.folds:
            corpora.append([[_plain(split) for split in fold.values()] for fold in job.folds])
        keys = [key.canonical for key in record.keys.values()]
        method = [record.method, record.own_code, record.features, record.device]
        return [method, keys, settings, corpora]


def resolve(request: Request, cache: Cache) -> Experiment:
    """Find out what a request means; torch is not imported for that.

    Raises:
        InputError: wrong usage, or corpora that do not go together.
        MissingFeaturesError: a feature is not cached; the message has the command to run.
        LeakError: a split leaks.
    """
    return resolve_all({"": request}, cache)[""]


def resolve_all(requests: Mapping[str, Request], cache: Cache) -> dict[str, Experiment]:
    """Find out what requests over the same corpora mean, by their names.

    Where utterances are left out, they are those that lack what any of the requests reads, so that
    all train and test on the same ones.

    Raises as `resolve`.
    """
    cached: dict[str, dict[str, Manifest]] = {}
    manifests: dict[str, dict[str, Manifest]] = {}
    keys: dict[str, dict[str, FeatureKey]] = {}
    lacking: dict[str, set[str]] = defaultdict(set)
    for name, request in requests.items():
        check_request(request)
        cached[name] = {corpus: cache.manifest(corpus) for corpus in request.corpora}
    there = [label for of in cached.values() for one in of.values() for label in one.labels]
    for name, request in requests.items():
        if request.label_map:
            request.label_map.check(there)
        manifests[name] = {corpus: request.relabelled(of) for corpus, of in cached[name].items()}
        check_labels(request, [manifests[name][corpus] for corpus in request.trained])
        keys[name] = feature_keys(request, cache, manifests[name])
        for corpus, manifest in manifests[name].items():
            read = [*keys[name].values()]
            if corpus in request.trained:
                read += check_perturbed(request, keys[name], cache, manifest)
            if request.skip_missing:
                for key in read:
                    lacking[corpus].update(cache.missing(key, manifest))
    return {
        name: _experiment(request, cached[name], manifests[name], keys[name], lacking)
        for name, request in requests.items()
    }


def _experiment(
    request: Request,
    cached: Mapping[str, Manifest],
    manifests: Mapping[str, Manifest],
    named: Mapping[str, FeatureKey],
    lacking: Mapping[str, Collection[str]],
) -> Experiment:
    """A request with what the cache has for it.

    Args:
        cached: the manifests as the cache has them.
        manifests: those by the label map.
        named: the keys of all features by the names that they were asked for.
        lacking: by corpus, the utterances that are left out.
    """
    others = emotions_of_others(request, manifests)
    skipped = {
        corpus: sorted({*lacking.get(corpus, ())} | ids_with(manifest, others.get(corpus, ())))
        for corpus, manifest in manifests.items()
    }
    used = {}
    for corpus, manifest in manifests.items():
        if len(skipped[corpus]) == len(manifest):
            raise MissingFeaturesError(
                f"{corpus}: no utterance has all features ({', '.join(named)})"
            )
        kept = set(manifest.ids).difference(skipped[corpus])
        used[corpus] = manifest.select(kept) if skipped[corpus] else manifest
    if request.encoding.heard:
        check_by_speaker(request.config.model, used.values())
    splits = {
        corpus: resolve_splits(request, manifest, cached[corpus])
        for corpus, manifest in used.items()
    }
    check_folds(splits, made=request.splits is None)
    if not request.protocol:
        request = replace(request, protocol=_one_protocol(splits))
    check_leaks_between(used, heard_together(splits))
    selector = request.config.gate.selector
    if selector in named and named[selector].feature != selector:
        request = request.changed(f"gate.selector={named[selector].feature}")
    features = tuple(named[name].feature for name in request.features)
    keys = {key.feature: key for key in named.values()}
    label_map = request.label_map
    notes = {corpus: label_map.note(of) for corpus, of in cached.items()} if label_map else {}
    return Experiment(request, used, features, keys, splits, skipped, others, notes)


def _one_protocol(splits: Mapping[str, Sequence[Split]]) -> str:
    """That of splits which were read, the same for all corpora."""
    protocols = {corpus: of_corpus[0].protocol for corpus, of_corpus in splits.items()}
    if len(set(protocols.values())) > 1:
        said = ", ".join(f"{corpus}: {protocol}" for corpus, protocol in protocols.items())
        raise InputError(f"--split: the corpora are split by different protocols ({said})")
    return next(iter(protocols.values()))


def check_labels(request: Request, manifests: Sequence[Manifest]) -> None:
    """Raise InputError if corpora that would share a tower have no emotion in common.

    One tower over labels of which each corpus has its own learns to tell corpora apart.
    """
    if request.setting != "multidomain":
        return
    shared = request.model.shared_tower
    for one, other in combinations(manifests, 2):
        together = shared or one.language == other.language
        if together and not set(one.labels) & set(other.labels):
            raise InputError(
                f"{one.corpus} and {other.corpus} would share a classifier "
                f"({'--method base' if shared else f'both are {one.language}'}), but have no "
                f"emotion in common ({', '.join(one.labels)}; {', '.join(other.labels)}), so their "
                "label sets cannot be united"
            )


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of a plain value, written as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def labels_hash(manifest: Manifest) -> str:
    """Of who says every utterance, and with which emotion."""
    columns = (manifest.table[name].tolist() for name in ("id", "speaker", "emotion"))
    return digest(sorted(zip(*columns, strict=True)))


def _plain(split: Split) -> list[Any]:
    return [split.seed, split.fold, split.parts()]
