"""The features of one sound, in memory alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from ..machine import one_thread
from ..manifests.audio import blamed_on_the_file, read_audio, usable
from .audio import to_recipe
from .backbones.backbone import Backbone


def features_of(
    backbones: Mapping[str, Backbone], sound: str | Path | tuple[NDArray[Any], int]
) -> dict[str, NDArray[Any]]:
    """What the cache would hold of a sound: by name, (frames, dim) or (dim,), in the key's dtype.

    Args:
        backbones: by any names.
        sound: a file, or samples (frames,) or (frames, channels) of full scale 1 with their rate.

    Raises:
        AudioError: no feature can be had of it; the message is the reason.
    """
    with one_thread(), blamed_on_the_file():
        if isinstance(sound, str | Path):
            audio = read_audio(Path(sound))
        else:
            samples, rate = sound
            audio = usable(np.atleast_2d(np.asarray(samples, np.float32).T).T, rate)
        samples = to_recipe(audio.samples, audio.rate)
        prepared = {name: each.prepare(samples.copy()) for name, each in backbones.items()}
    features = {}
    for name, backbone in backbones.items():
        rows = prepared[name]
        if backbone.batch_rows:
            backbone.load()
            with blamed_on_the_file():
                (rows,) = backbone.forward([rows])
        stored = np.asarray(rows, dtype=backbone.dtype)
        if not np.isfinite(stored).all():
            raise AudioError(f"{name}: holds values that are not finite")
        features[name] = stored
    return features
