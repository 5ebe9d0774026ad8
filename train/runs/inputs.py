"""What the models of a run read of a corpus, for use after training."""

from __future__ import annotations

from pathlib import Path

from ...cache import Cache
from ...errors import InputError, MissingFeaturesError
from ..data import Domain, load_domain
from ..encoding import Encoding
from ..functionals import as_encoded
from ..network.spec import GE2E_MEL
from .run_folder import read_config


def load_inputs(folder: Path, cache: Cache, corpus: str) -> Domain:
    """Read a corpus as the models of the run in `folder` read it: see `load_model`.

    All its utterances, those that the models were trained on too, in the very versions of the
    features that they were trained on.

    Raises:
        InputError: not the folder of a run with models, or of other ones than the cache has.
        MissingFeaturesError: the cache lacks the corpus, or a feature in that version.
    """
    spec, hashes = read_config(folder)
    shape = spec.domain(corpus)
    manifest = cache.manifest(corpus)
    if manifest.labels != shape.labels:
        raise InputError(
            f"{folder}: was trained for {corpus} with the emotions {', '.join(shape.labels)}, but "
            f"the cache {cache.folder} has it with {', '.join(manifest.labels)}"
        )
    known = cache.keys()
    there = {key.hash: key for key in known}
    keep = [GE2E_MEL] if spec.finetune_ge2e else []
    keys = {}
    for name in (*(each.name for each in spec.inputs), *keep):
        if name not in hashes:
            raise InputError(f"{folder}: does not say which {name} it was trained on")
        if hashes[name] not in there:
            raise MissingFeaturesError(
                f"{name}: the cache {cache.folder} does not have the version that {folder} was "
                f"trained on, {hashes[name]}"
            )
        keys[name] = there[hashes[name]]
    domain = as_encoded(
        load_domain(cache, manifest, keys),
        Encoding.of_network(spec.model.encoder, spec.finetune_ge2e),
    )
    for each in spec.inputs:
        found = domain.features[each.name]
        if (found.dim, found.sequence) != (each.dim, each.sequence):
            raise InputError(
                f"{folder}: its {each.name} has {each.dim} values, that of the cache {found.dim}"
            )
    return domain
