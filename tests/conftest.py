"""What test files share: caches whose features tell the emotions apart, caches of random rows."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import ser
from ser.cache import Cache, FeatureKey, store_manifest
from ser.machine import cores
from ser.manifests import Manifest
from ser.train.network.spec import FeatureShape

from .browser import chromium, visit  # noqa: F401 - fixtures
from .drawn import SEED
from .forked import fork_server
from .serving import served, sounds, speech  # noqa: F401

if Path(ser.__file__).resolve().parent != Path(__file__).resolve().parents[1]:
    pytest.exit(
        f"these tests would test another copy, {Path(ser.__file__).parent}: install this checkout "
        'in place, with: python -m pip install -c constraints.txt -e ".[dev]"',
        returncode=2,
    )

# What `ser` writes it waits for until the disk has it: without a disk, tests wait for nothing.
MEMORY = Path("/dev/shm")
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# A shell's background job is deaf to Ctrl-C, and so would be the commands that tests stop by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples are not timed: a busy machine must not fail a test.
settings.register_profile("ser", deadline=None)
settings.load_profile("ser")

EMOTIONS = ("neutral", "happiness", "anger")

Rows = dict[str, np.ndarray[Any, Any]]


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: now and then tests wait for processes and servers."""
    return 3 * cores() // 2


def pytest_sessionstart(session: pytest.Session) -> None:
    """One server for all tests of a worker: else the first to start one says what it imports."""
    if hasattr(session.config, "workerinput") and sys.platform != "win32":
        from multiprocessing.forkserver import ensure_running

        fork_server()
        ensure_running()


def pytest_report_header() -> str:
    return f"cases are drawn with SER_TEST_SEED={SEED}"


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
    """A manifest without audio: emotions and speakers in turn; no two corpora share audio."""
    first = 0 if corpus == "toy" else zlib.crc32(corpus.encode())
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
            "audio_hash": f"{first + number:032x}",
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
    return make_two_corpora(tmp_path / "cache")


@pytest.fixture
def cache_maker(tmp_path: Path) -> Callable[..., Cache]:
    """`toy_cache` with other utterances, speakers or language."""

    def make(name: str = "cache", **manifest: object) -> Cache:
        return make_toy_cache(tmp_path / name, toy_manifest(**manifest))

    return make


def make_toy_cache(folder: Path, manifest: Manifest | None = None, noise: float = 1.0) -> Cache:
    """A cache of `toy_cache`'s features; with more noise emotions are mistaken for one another."""
    cache = Cache(folder)
    manifest = manifest or toy_manifest()
    store_manifest(cache, manifest)
    random = np.random.default_rng(7)
    centres = random.normal(size=(len(EMOTIONS), 12))
    rows = list(zip(manifest.table["id"], manifest.table["emotion"], strict=True))
    with (
        cache.write(toy_key("mfcc", "sequence", 5), manifest) as mfcc,
        cache.write(toy_key("ge2e", "vector", 7), manifest) as ge2e,
    ):
        for id, emotion in rows:
            centre = centres[EMOTIONS.index(emotion)]
            frames = centre[:5] + noise * random.normal(size=(random.integers(4, 20), 5))
            mfcc.add(id, frames.astype(np.float32))
            ge2e.add(id, (centre[5:] + 0.5 * noise * random.normal(size=7)).astype(np.float32))
    return cache


def make_two_corpora(folder: Path) -> Cache:
    """The cache of `two_corpora`."""
    make_toy_cache(folder)
    return make_toy_cache(folder, toy_manifest(utterances=45, language="it", corpus="tic"))


@pytest.fixture(scope="session")
def toy_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cache`, as `two_corpora` but noisy, and `runs`, in which are `svm`, `single`,
    `ours` and `held_out` (as single, but with the protocol speaker): not to be changed."""
    from ser.train.config import load_config
    from ser.train.runs.request import Request
    from ser.train.runs.train import train_request

    folder = tmp_path_factory.mktemp("toy")
    make_toy_cache(folder / "cache", noise=4.0)
    tic = toy_manifest(45, language="it", corpus="tic")
    cache = make_toy_cache(folder / "cache", tic, noise=4.0)
    config = load_config("strong", ["train.epochs=3", "train.members=2"])
    for name, setting, corpora, protocol in (
        ("svm", "baseline", ["toy"], "paper"),
        ("single", "single", ["toy"], "paper"),
        ("ours", "multidomain", ["toy", "tic"], "paper"),
        ("held_out", "single", ["toy"], "speaker"),
    ):
        repeats = 1 if protocol == "speaker" else 2
        request = Request(
            setting, corpora, ["mfcc", "ge2e"], config, "", protocol, repeats, workers=1
        )
        train_request(request, cache, folder / "runs" / name)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty one."""
    return Cache(tmp_path / "cache")


def make_key(feature: str = "mfcc", **changes: Any) -> FeatureKey:
    """A key for random rows, of sequences unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "feature": feature,
        "backbone": feature,
        "version": 1,
        "weights": None,
        "parameters": {},
        "audio": {"rate": 16000},
        "dtype": "float32",
        "kind": "sequence",
        "dim": 3,
        "frame_rate": 100.0,
    }
    return FeatureKey(**{**values, **changes})


def shapes(domain: Any) -> dict[str, FeatureShape]:
    """What a model must know of the features of a domain."""
    return {
        name: FeatureShape(name, packed.backbone, packed.dim, packed.sequence)
        for name, packed in domain.features.items()
    }


KEY = make_key()
VECTOR = make_key("ge2e", kind="vector", dtype="float16", dim=8, frame_rate=None)


def make_manifest(ids: str = "abcdef", corpus: str = "mine", take: int = 1) -> Manifest:
    """An utterance for each letter; another `take` is other audio under the same ids."""
    rows = [
        {
            "id": name,
            "corpus": corpus,
            "language": "de",
            "speaker": "s",
            "gender": "",
            "emotion": "fear",
            "path": f"{name}.wav",
            "duration": 1.8,
            "audio_hash": f"{take}{ord(name):031x}",
        }
        for name in ids
    ]
    return Manifest(pd.DataFrame(rows))


def make_rows(key: FeatureKey, manifest: Manifest, seed: int = 0) -> Rows:
    """Random rows for every utterance, of 1 to 8 frames where the key has frames."""
    draw = np.random.default_rng(seed)

    def shape() -> tuple[int, ...]:
        return (key.dim,) if key.kind == "vector" else (int(draw.integers(1, 9)), key.dim)

    return {name: draw.standard_normal(shape()).astype(key.dtype) for name in manifest.ids}


def fill(cache: Cache, key: FeatureKey, manifest: Manifest, seed: int = 0) -> Rows:
    """Write `make_rows` for every utterance, not in the order of the manifest."""
    rows = make_rows(key, manifest, seed)
    with cache.write(key, manifest) as out:
        for name in reversed(manifest.ids):
            out.add(name, rows[name])
    return rows


def same(
    cache: Cache, key: FeatureKey, manifest: Manifest, rows: Rows, mapped: bool = False
) -> None:
    """Assert that exactly these rows are read, in the order of the manifest."""
    got = cache.read(key, manifest, mapped)
    assert got.ids == manifest.ids
    assert got.frames.dtype == np.dtype(key.dtype)
    assert got.frames.shape == (got.offsets[-1], key.dim)
    for i, name in enumerate(got.ids):
        np.testing.assert_array_equal(got[i], np.atleast_2d(rows[name]))


def shards(cache: Cache) -> list[Path]:
    """The files of all shards."""
    return sorted((cache.folder / "features").glob("*/*.h5"))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
