"""The features that a request means, as the cache has them."""

from __future__ import annotations

from collections.abc import Mapping

from ...cache import Cache, FeatureKey
from ...cache.keys import IMPORTED
from ...errors import InputError, MissingFeaturesError
from ...manifests import Manifest
from ..methods import features_read
from ..network.spec import GE2E_MEL
from .request import Request


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
                imported = key.backbone == IMPORTED
                remedy = "import both together" if imported else "extract the same for both"
                raise InputError(
                    f"{name} of {corpus} is another version than that of "
                    f"{next(iter(manifests))}: {key.feature}@{key.hash[:8]} and "
                    f"{found[name].feature}@{found[name].hash[:8]}; {remedy}"
                )
    if len({found[name].hash for name in request.features}) < len(request.features):
        raise InputError(f"--features {','.join(request.features)}: a feature is named twice")
    if len({key.feature for key in found.values()}) < len({key.hash for key in found.values()}):
        raise InputError(f"{', '.join(found)}: two versions of one feature; leave one of them out")
    if request.model.gated and request.encoding.shape(selector, found[selector]).sequence:
        raise InputError(
            f"gate.selector={selector}: is a sequence; the gates look at one vector for every "
            "utterance, such as ge2e"
        )
    return found


def perturbed_keys(
    request: Request, keys: Mapping[str, FeatureKey]
) -> dict[str, dict[str, FeatureKey]]:
    """By perturbation, the keys of the same features of recordings so perturbed."""
    return {
        how: {name: key.perturbed(how) for name, key in keys.items()}
        for how in request.perturbations
    }


def check_perturbed(
    request: Request, keys: Mapping[str, FeatureKey], cache: Cache, manifest: Manifest
) -> list[FeatureKey]:
    """The keys of all features of perturbed recordings of a corpus.

    Raises:
        MissingFeaturesError: one is not cached.
    """
    found = [key for named in perturbed_keys(request, keys).values() for key in named.values()]
    try:
        cache.resolve_all([key.short for key in found], manifest)
    except MissingFeaturesError as error:
        raise MissingFeaturesError(
            f"augment.perturb={request.config.augment.perturb} needs features of perturbed "
            f"recordings: {error}"
        ) from None
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
