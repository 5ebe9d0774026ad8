"""A cache of random features as large as the paper's corpora, or as a share of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ser.cache import Cache, FeatureKey, store_manifest
from ser.manifests import Manifest

CORPORA = {
    "iemocap": ("en", ("anger", "happiness", "neutral", "sadness"), 5531, 4.55),
    "emodb": (
        "de",
        ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"),
        535,
        2.78,
    ),
    "cafe": (
        "fr",
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
        504,
        4.4,
    ),
}
"""Language, emotions, utterances and mean duration in seconds of the paper's corpora."""

FEATURES = {
    "mfcc": (24, 31.25),
    "allosaurus": (230, 33.3),
    "wav2vec": (512, 100.0),
    "ge2e": (256, 0),
    "byol": (2048, 0),
}
"""Size and frames a second of the paper's features; 0 for a vector."""


def write_corpora(folder: Path, share: float = 1.0) -> Cache:
    """Write all features of all corpora in float16, for a share of the utterances (64 at least)."""
    cache = Cache(folder)
    for corpus in CORPORA:
        manifest = _manifest(corpus, share)
        store_manifest(cache, manifest)
        for feature in FEATURES:
            _write(cache, feature, manifest)
    return cache


def _manifest(corpus: str, share: float) -> Manifest:
    language, emotions, utterances, seconds = CORPORA[corpus]
    count = max(64, int(share * utterances))
    durations = seconds * np.random.default_rng(0).lognormal(-0.125, 0.5, count)
    rows = [
        {
            "id": f"u{number:05}",
            "corpus": corpus,
            "language": language,
            "speaker": f"s{number // len(emotions) % 10}",
            "gender": "",
            "emotion": emotions[number % len(emotions)],
            "path": f"u{number:05}.wav",
            "duration": round(float(duration), 3),
            "audio_hash": f"{list(CORPORA).index(corpus):x}{number:031x}",
        }
        for number, duration in enumerate(durations)
    ]
    return Manifest(pd.DataFrame(rows))


def _write(cache: Cache, feature: str, manifest: Manifest) -> None:
    dim, rate = FEATURES[feature]
    key = FeatureKey(
        feature=feature,
        backbone=feature,
        version=1,
        weights=None,
        parameters={},
        audio={"sample_rate": 16000},
        dtype="float16",
        kind="sequence" if rate else "vector",
        dim=dim,
        frame_rate=rate or None,
    )
    random = np.random.default_rng(0)
    with cache.write(key, manifest) as out:
        for id, duration in zip(manifest.ids, manifest.table["duration"], strict=True):
            shape = (max(1, int(duration * rate)), dim) if rate else (dim,)
            out.add(id, random.standard_normal(shape, np.float32).astype(np.float16))
