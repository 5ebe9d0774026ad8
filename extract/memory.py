"""The features of one sound, in memory alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..cache import FeatureKey, as_stored
from ..errors import AudioError
from ..machine import one_thread
from ..manifests.audio import blamed_on_the_file, read_audio, usable
from .audio import to_recipe
from .backbones.backbone import Array, Backbone
from .batches import similar_lengths
from .faults import fault_of_file, out_of_memory
from .perturb import perturbed

T = TypeVar("T")

Sound = str | Path | tuple[NDArray[Any], int]
"""A file, or samples (frames,) or (frames, channels) of full scale 1 with their rate in Hz."""


def features_of(
    backbones: Mapping[str, Backbone], keys: Mapping[str, FeatureKey], sound: Sound
) -> dict[str, NDArray[Any]]:
    """What the cache would hold of a sound: by name, (frames, dim) or (dim,), in the key's dtype.

    Raises:
        AudioError: the sound cannot be used; the message is the reason.
        InputError: a feature cannot be stored, see `as_stored`.
    """
    with one_thread(), blamed_on_the_file():
        if isinstance(sound, str | Path):
            audio = read_audio(Path(sound))
        else:
            audio = usable(*as_samples(sound))
        samples = to_recipe(audio.samples, audio.rate)
    (found,) = features_of_each(backbones, keys, [samples])
    if isinstance(found, AudioError):
        raise found
    return found


def features_of_each(
    backbones: Mapping[str, Backbone], keys: Mapping[str, FeatureKey], sounds: Sequence[Array]
) -> list[dict[str, NDArray[Any]] | AudioError]:
    """The features of several sounds, each with the bits that it has alone, or why it has none.

    Args:
        sounds: as `to_recipe` gives them, (samples,).

    Raises:
        InputError: a feature cannot be stored, see `as_stored`.
        SerError: what is wrong is not one sound.
    """
    features: list[dict[str, NDArray[Any]]] = [{} for _ in sounds]
    bad: dict[int, AudioError] = {}
    for name, backbone in backbones.items():
        ready: dict[int, Array] = {}
        for place, samples in enumerate(sounds):
            if place not in bad:
                _sort(place, _tried(name, partial(_prepared, backbone, samples)), ready, bad)
        rows = _modelled(name, backbone, ready, bad) if backbone.batch_rows else ready
        for place, feature in rows.items():
            stored = as_stored(name, keys[name], feature)
            features[place][name] = stored[0] if keys[name].kind == "vector" else stored
    return [bad.get(place, found) for place, found in enumerate(features)]


def _prepared(backbone: Backbone, samples: Array) -> Array:
    with one_thread():
        return backbone.prepare(perturbed(samples, backbone.perturb).copy())


def _modelled(
    name: str, backbone: Backbone, ready: Mapping[int, Array], bad: dict[int, AudioError]
) -> dict[int, Array]:
    """What the model makes of what was prepared: of several at once where that changes no bit."""
    places, made = [*ready], dict[int, Array]()
    most = backbone.batch_rows if backbone.exact_batches else 0
    for batch in similar_lengths([*ready.values()], most):
        together = [places[i] for i in batch]
        said = _tried(name, partial(_forward, backbone, [ready[place] for place in together]))
        if isinstance(said, AudioError):
            for place in together:
                alone = _tried(name, partial(_forward, backbone, [ready[place]]))
                _sort(place, alone if isinstance(alone, AudioError) else alone[0], made, bad)
        else:
            made.update(zip(together, said, strict=True))
    return made


def _forward(backbone: Backbone, arrays: Sequence[Array]) -> list[Array]:
    found = [*backbone.forward(arrays)]
    if len(found) != len(arrays):
        raise ValueError(f"forward gave {len(found)} features for {len(arrays)} utterances")
    return found


def _sort(
    place: int, found: Array | AudioError, good: dict[int, Array], bad: dict[int, AudioError]
) -> None:
    if isinstance(found, AudioError):
        bad[place] = found
    else:
        good[place] = found


def _tried(name: str, compute: Callable[[], T]) -> T | AudioError:
    """What is computed, or why it cannot be, if that is the sound's own fault."""
    try:
        return compute()
    except Exception as error:
        reason = "not enough memory" if out_of_memory(error) else fault_of_file(error)
        return AudioError(f"{name}: {reason}")


def as_samples(sound: Any) -> tuple[Array, int]:
    """Sound in memory as (frames, channels), and its rate."""
    try:
        samples, rate = np.asarray(sound[0], np.float32), int(sound[1])
    except (TypeError, ValueError, IndexError):
        samples, rate = np.empty(0, np.float32), 0
    if samples.ndim not in (1, 2) or rate <= 0:
        raise AudioError(
            "expected a file, or (samples, rate): an array (frames,) or (frames, channels), and Hz"
        )
    return samples if samples.ndim == 2 else samples[:, None], rate
