"""The features of one sound, in memory alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache import FeatureKey, as_stored
from ..errors import AudioError
from ..machine import one_thread
from ..manifests.audio import blamed_on_the_file, read_audio, usable
from .audio import to_recipe
from .backbones.backbone import Array, Backbone
from .faults import fault_of_file, out_of_memory

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
    found = {}
    for name, backbone in backbones.items():
        try:
            with one_thread():
                rows = backbone.prepare(samples.copy())
            if backbone.batch_rows:
                (rows,) = backbone.forward([rows])
        except Exception as error:
            reason = "not enough memory" if out_of_memory(error) else fault_of_file(error)
            raise AudioError(f"{name}: {reason}") from error
        stored = as_stored(name, keys[name], rows)
        found[name] = stored[0] if keys[name].kind == "vector" else stored
    return found


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
