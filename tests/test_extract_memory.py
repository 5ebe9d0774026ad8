"""One file that is too long for a model, and little memory: the short ones are cached."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ser.cache import Cache
from ser.extract import extract, make_backbone
from ser.extract.backbones.mfcc import Mfcc
from ser.manifests import Manifest
from ser.tests.speech_models import FAMILIES, SMALL, write_speech_model
from ser.tests.test_extract_pipeline import manifest_of

LONG = 90
"""Seconds."""


def write_speech(root, seconds):
    root.mkdir()
    rng = np.random.default_rng(0)
    for number, duration in enumerate(seconds):
        samples = rng.normal(scale=0.1, size=int(16000 * duration))
        soundfile.write(root / f"u{number}.wav", samples, 16000)
    return manifest_of(root)


class Hungry(Mfcc):
    """A backbone whose model runs out of memory above 40 frames, as the test says."""

    name = "hungry"
    batch_rows = 200
    error: BaseException = MemoryError()

    def forward(self, batch):
        if sum(map(len, batch)) > 40:
            raise self.error
        return list(batch)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_the_short_ones_are_cached(tmp_path, monkeypatch, error, together):
    monkeypatch.setattr(Hungry, "error", error)
    monkeypatch.setattr(Hungry, "exact_batches", together)
    manifest = write_speech(tmp_path / "corpus", [0.5, 1, 3, 0.7, 0.6, 0.5])
    cache = Cache(tmp_path / "cache")
    report = extract(manifest, tmp_path / "corpus", [Hungry()], cache, workers=0)
    assert report.computed == {"hungry": 5}
    assert [(bad.id, bad.reason) for bad in report.bad] == [
        ("u2", "hungry: not enough memory for its 3 s")
    ]


def test_what_may_end_the_process_comes_when_all_else_is_published(tmp_path, monkeypatch):
    """The estimate may be wrong, and the system kill: the next run has only the long ones to do."""
    manifest = write_speech(tmp_path / "corpus", [3, 0.5, 1])
    cache = Cache(tmp_path / "cache")
    key = Hungry().key()
    missing = []

    def forward(self, batch):
        missing.append(cache.missing(key, manifest))
        return list(batch)

    monkeypatch.setattr(Hungry, "forward", forward)
    monkeypatch.setattr(Hungry, "row_bytes", 10**9)
    monkeypatch.setattr("ser.extract.models.free_on_host", lambda: 100 * 10**9)
    report = extract(manifest, tmp_path / "corpus", [Hungry()], cache, workers=0)
    assert (report.computed, report.bad) == ({"hungry": 3}, [])
    assert missing[-1] == ["u0"]


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {"whisper"}))
def test_what_a_model_will_take_is_known_before(tmp_path, family):
    """By shape alone: the square of the length where scores are kept, else in proportion to it."""
    folder = write_speech_model(tmp_path / family, family)
    backbone = make_backbone(f"hf:{folder}")
    assert backbone.memory(16000) == 0  # not loaded
    backbone.load()
    minute, hour = (backbone.memory(16000 * 60 * n) for n in (1, 60))
    assert 16000 * 60 * 4 < minute < hour
    square = family in {"wavlm", "wav2vec2-conformer"}
    assert (hour / minute > 1000) is square


SCRIPT = """
import resource, sys
from pathlib import Path
import numpy, torch, transformers
from ser.cache import Cache
from ser.extract import extract, models
from ser.manifests import Manifest
import psutil

if __name__ == "__main__":
    here, spec, guarded = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "guarded"
    if not guarded:
        models.free_on_host = lambda: 1 << 50
    manifest = Manifest.load(here / "list.csv")
    limit = psutil.Process().memory_info().vms + (1500 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    report = extract(manifest, here / "corpus", [spec], Cache(here / "cache"), workers=0)
    print(sum(report.computed.values()), [(bad.id, bad.reason) for bad in report.bad])
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space")
@pytest.mark.parametrize("how", ["guarded", "surprised"])
def test_wav2vec2_in_little_memory(tmp_path, how):
    """A convolution front of the real width, and a file for which the memory does not suffice."""
    sizes = {**SMALL, "conv_dim": [512] * 7}
    folder = write_speech_model(tmp_path / "model", "wav2vec2", **sizes)
    write_speech(tmp_path / "corpus", [1, LONG * 3, 2, 1.5, 2.5]).save(tmp_path / "list.csv")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path), f"hf:{folder}", how]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 [('u1', "), done.stdout
    assert f"not enough memory for its {LONG * 3} s" in done.stdout
    manifest = Manifest.load(tmp_path / "list.csv")
    key = make_backbone(f"hf:{folder}").key()
    assert Cache(tmp_path / "cache").missing(key, manifest) == ["u1"]
