"""What the models of a run read of a corpus, for use after training."""

from __future__ import annotations

from pathlib import Path

from ..cache import Cache
from ..errors import MissingFeaturesError
from .data import Domain, load_domain
from .functionals import as_encoded
from .run_folder import read_config
from .spec import GE2E_MEL


def load_inputs(folder: Path, cache: Cache, corpus: str) -> Domain:
    """Read a corpus as the models of the run in `folder` read it: see `load_model`.

    All its utterances, those that the models were trained on too, in the very versions of the
    features that they were trained on.

    Raises:
        InputError: not the folder of a run with models.
        MissingFeaturesError: the cache lacks the corpus, or a feature in that version.
    """
    config = read_config(folder)
    manifest = cache.manifest(corpus)
    known = cache.keys()
    there = {key.hash: key for key in known}
    keys = {}
    for name, feature in config["features"].items():
        if feature["key"] not in there:
            raise MissingFeaturesError(
                f"{name}: the cache {cache.folder} does not have the version that {folder} was "
                f"trained on, {feature['key']}"
            )
        keys[name] = there[feature["key"]]
    keep = [GE2E_MEL] if config["model"]["finetune_ge2e"] else []
    encoder = config["model"]["model"]["encoder"]
    return as_encoded(load_domain(cache, manifest, keys), encoder, keep)
