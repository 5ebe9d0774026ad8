"""The features of experiments: read once, and encoded as their jobs take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ...cache import Cache, FeatureKey
from ...machine import free_memory
from ...manifests import Manifest
from ...progress import Progress
from ..data import Domain, read_domain
from .experiment import Experiment
from .jobs import Domains

Keys = dict[str, dict[str, FeatureKey]]
"""By perturbation, a blank one for none, the keys of features by their names."""

ROOM = 0.8
"""Of the memory that is free, what features may take."""


def load_domains(
    cache: Cache, experiments: Sequence[Experiment], progress: Progress | None = None
) -> dict[str, Domain]:
    """All features of all corpora of some experiments, each read once.

    Where they do not fit into memory, or not into what the request allows, they are mapped.
    The experiments agree about the utterances of a corpus and the memory.
    """
    manifests: dict[str, Manifest] = {}
    keys: dict[str, Keys] = {}
    for experiment in experiments:
        for corpus, manifest in experiment.manifests.items():
            manifests[corpus] = manifest
            for how, named in experiment.versions(corpus).items():
                keys.setdefault(corpus, {}).setdefault(how, {}).update(named)
    if progress:
        progress.show(
            f"reading features of {', '.join(manifests)}: {sum(map(len, manifests.values()))} "
            "utterances"
        )
    stored = {
        corpus: {
            how: {name: cache.open(key, manifests[corpus]) for name, key in named.items()}
            for how, named in of_corpus.items()
        }
        for corpus, of_corpus in keys.items()
    }
    size = sum(
        feature.nbytes
        for of_corpus in stored.values()
        for named in of_corpus.values()
        for feature in named.values()
    )
    memory, here = experiments[0].request.memory, torch.device("cpu")
    devices = {here if each.request.elsewhere else each.device for each in experiments}
    room = ROOM * min(map(free_memory, devices)) if memory is None else memory * 1e9
    mapped = size > room
    if mapped and progress:
        progress.say(
            f"features of {size / 1e9:.3g} GB do not fit into {room / 1e9:.3g} GB of memory: read "
            "from the disk as they are needed, by one run at a time"
        )
    domains = {}
    for corpus, manifest in manifests.items():
        versions = {
            how: read_domain(manifest, named, mapped) for how, named in stored[corpus].items()
        }
        domains[corpus] = replace(versions.pop(""), perturbed=versions)
    return domains


def encode(domains: Domains, experiments: Sequence[Experiment]) -> Domains:
    """The domains as the jobs of some experiments take them, with all features that they read.

    The experiments have the same encoding.
    """
    names: dict[str, dict[str, None]] = {}
    for experiment in experiments:
        for corpus in experiment.manifests:
            names.setdefault(corpus, {}).update(dict.fromkeys(experiment.keys))
    encoding, encoded = experiments[0].request.encoding, {}
    ways = {how for experiment in experiments for how in experiment.request.perturbations}
    for corpus, read in names.items():
        domain = domains[corpus].only(list(read))
        kept = [how for how in domain.perturbed if how in ways]
        encoded[corpus] = domain.perturbed_by(kept).encoded(encoding)
    return encoded
