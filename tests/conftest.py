"""Fixtures that several test files share: small caches whose features tell the emotions apart."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from ser.cache import Cache, FeatureKey
from ser.manifests import Manifest

# Examples are not timed: a busy machine must not fail a test.
settings.register_profile("ser", deadline=None)
settings.load_profile("ser")

EMOTIONS = ("neutral", "happiness", "anger")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the cache, the corpora or the weights of the user who runs it."""
    for name in [name for name in os.environ if name.startswith("SER_")]:
        if name != "SER_TEST_CORPORA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "default-cache"))
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path / "default-weights"))


def toy_manifest(
    utterances: int = 60, speakers: int = 6, language: str = "de", corpus: str = "toy"
) -> Manifest:
    """A manifest without audio: emotions and speakers in turn."""
    rows = [
        {
            "id": f"u{number:03}",
            "corpus": corpus,
            "language": language,
            "speaker": f"s{number // len(EMOTIONS) % speakers}",
            "gender": "",
            "emotion": EMOTIONS[number % len(EMOTIONS)],
            "path": f"u{number:03}.wav",
            "duration": 1.0,
            "audio_hash": f"{number:032x}",
        }
        for number in range(utterances)
    ]
    return Manifest(pd.DataFrame(rows))


def toy_key(feature: str, kind: str, dim: int) -> FeatureKey:
    """A key for made-up features."""
    return FeatureKey(
        feature=feature,
        backbone=feature,
        version=1,
        weights=None,
        parameters={},
        audio={"sample_rate": 16000},
        dtype="float32",
        kind=kind,
        dim=dim,
        frame_rate=31.25 if kind == "sequence" else None,
    )


@pytest.fixture
def toy_cache(tmp_path: Path) -> Cache:
    """Corpus `toy` with `mfcc` (sequence of 4 to 19 frames, dim 5) and `ge2e` (vector, dim 7)."""
    return make_toy_cache(tmp_path / "cache")


@pytest.fixture
def two_corpora(tmp_path: Path) -> Cache:
    """Corpora `toy` (German) and `tic` (Italian, 45 utterances), features as in `toy_cache`."""
    make_toy_cache(tmp_path / "cache")
    second = toy_manifest(utterances=45, language="it", corpus="tic")
    return make_toy_cache(tmp_path / "cache", second)


@pytest.fixture
def cache_maker(tmp_path: Path) -> Callable[..., Cache]:
    """`toy_cache` with other utterances, speakers or language."""

    def make(name: str = "cache", **manifest: object) -> Cache:
        return make_toy_cache(tmp_path / name, toy_manifest(**manifest))

    return make


def make_toy_cache(folder: Path, manifest: Manifest | None = None) -> Cache:
    cache = Cache(folder)
    manifest = manifest or toy_manifest()
    cache.save_manifest(manifest)
    random = np.random.default_rng(7)
    centres = random.normal(size=(len(EMOTIONS), 12))
    rows = list(zip(manifest.table["id"], manifest.table["emotion"], strict=True))
    with (
        cache.write(toy_key("mfcc", "sequence", 5), manifest) as mfcc,
        cache.write(toy_key("ge2e", "vector", 7), manifest) as ge2e,
    ):
        for id, emotion in rows:
            centre = centres[EMOTIONS.index(emotion)]
            frames = centre[:5] + random.normal(size=(random.integers(4, 20), 5))
            mfcc.add(id, frames.astype(np.float32))
            ge2e.add(id, (centre[5:] + 0.5 * random.normal(size=7)).astype(np.float32))
    return cache
