"""What holds for every backbone: keys, the way into the cache, and what must not change numbers."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ser.cache import Cache
from ser.demo import synthesise
from ser.extract import BACKBONES, extract, make_backbone
from ser.extract.backbones.logmel import LogMel
from ser.manifests import build_manifest
from ser.tests.speech_models import write_allosaurus, write_speech_model
from ser.tests.stand_ins import write_byol, write_vgg16, write_wav2vec

pytest.importorskip("opensmile")

SPECS = {
    "mfcc": ["hop_length=160", "n_fft=1024"],
    "logmel": ["hop_length=320", "n_fft=1024"],
    "logmel128": ["hop_length=256", "n_fft=1024"],
    "logmel3d": [],
    "hpss": ["hop_length=512", "margin=2.0", "n_fft=1024"],
    "rudd129": [],
    "wave": [],
    "spectral": ["hop_length=256", "n_fft=1024"],
    "pitch": ["fmax=500.0", "fmin=80.0", "hop_length=256"],
    "egemaps": [],
    "egemaps_lld": [],
    "compare": [],
    "compare_lld": [],
    "emobase": [],
    "ge2e": [],
    "ge2e_mel": [],
    "wav2vec": ["layer=z"],
    "byol": ["mean=-2.6927", "deviation=4.1031"],
    "vgg16": ["hop_length=512", "margin=2.0", "n_fft=1024"],
}
"""Every parameter of every backbone (but `dtype`, which all have) with another value."""
WEIGHTS = {"wav2vec": write_wav2vec, "byol": write_byol, "vgg16": write_vgg16}
HALF = {"wav2vec", "wave", "vgg16"}
"""What is stored as float16 unless asked otherwise: many rows, or wide ones."""
SHAPES = {
    "mfcc": (24, 31.25),
    "logmel": (64, 100.0),
    "logmel128": (128, 31.25),
    "logmel3d": (120, 100.0),
    "hpss": (256, 16000 / 372),
    "rudd129": (129, None),
    "wave": (1, 16000.0),
    "spectral": (31, 31.25),
    "pitch": (3, 31.25),
    "egemaps": (88, None),
    "egemaps_lld": (25, 100.0),
    "compare": (6373, None),
    "compare_lld": (65, 100.0),
    "emobase": (988, None),
    "ge2e": (256, None),
    "ge2e_mel": (40, 100.0),
    "wav2vec": (512, 100.0),
    "byol": (2048, None),
    "vgg16": (8192, 16000 / 372 / 64),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two weights folders that differ in every file."""
    folders = [tmp_path_factory.mktemp("weights") for _ in range(2)]
    for seed, folder in enumerate(folders):
        for write in WEIGHTS.values():
            write(folder, seed)
    return folders


@pytest.fixture(autouse=True)
def weights(folders, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(folders[0]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    root = synthesise(folder, ["emodb"], speakers=4, sentences=1)["emodb"]
    manifest = build_manifest("emodb", root).manifest
    return manifest.select(manifest.ids[::7]), root


@pytest.fixture(scope="module")
def extracted(corpus, folders, tmp_path_factory):
    """All features of the corpus, in this process, in batches of one utterance."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    manifest, root = corpus
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_WEIGHTS", str(folders[0]))
        _batches(patch, 1)
        report = extract(manifest, root, list(SPECS), cache, device="cpu", workers=0)
    return cache, report


def _batches(patch, rows):
    for name in SPECS:
        if BACKBONES[name].batch_rows:
            patch.setattr(BACKBONES[name], "batch_rows", rows)


def test_specs_name_every_parameter():
    for name, settings in SPECS.items():
        named = {setting.partition("=")[0] for setting in settings}
        assert named | {"dtype", "perturb"} == set(BACKBONES[name].defaults)


@pytest.mark.parametrize("name", SPECS)
def test_what_changes_numbers_changes_the_key(name, folders, monkeypatch):
    other = "float32" if name in HALF else "float16"
    specs = [name, *(f"{name}:{setting}" for setting in [*SPECS[name], f"dtype={other}"])]
    keys = [make_backbone(spec).key() for spec in specs]
    if name in WEIGHTS:
        monkeypatch.setenv("SER_WEIGHTS", str(folders[1]))
        keys.append(make_backbone(name).key())
    monkeypatch.setattr(BACKBONES[name], "version", BACKBONES[name].version + 1)
    keys.append(make_backbone(name).key())
    assert len({key.hash for key in keys}) == len(keys)
    assert keys[len(SPECS[name]) + 1].dtype == other


@pytest.mark.parametrize("name", SPECS)
def test_what_changes_no_number_does_not(name, folders, monkeypatch, tmp_path):
    key = make_backbone(name, "cpu").key()
    assert (key.dim, key.frame_rate) == SHAPES[name]
    dtype = "float16" if name in HALF else "float32"
    assert (key.dtype, key.backbone, key.feature) == (dtype, name, name)
    assert make_backbone(name, "cuda:3").key() == key
    if name in WEIGHTS:
        shutil.copytree(folders[0], tmp_path / "elsewhere")
        monkeypatch.setenv("SER_WEIGHTS", str(tmp_path / "elsewhere"))
    if BACKBONES[name].batch_rows:
        monkeypatch.setattr(BACKBONES[name], "batch_rows", 7)
    assert make_backbone(name, "auto").key() == key


@pytest.mark.long
def test_all_features_reach_the_cache(corpus, extracted):
    manifest, _ = corpus
    cache, report = extracted
    assert report.bad == []
    assert report.computed == dict.fromkeys(SPECS, len(manifest))
    seconds = manifest.table["duration"].to_numpy()
    for name, (dim, rate) in SHAPES.items():
        found = cache.read(make_backbone(name).key(), manifest)
        assert found.frames.shape[1] == dim
        assert np.isfinite(found.frames).all()
        rows = np.diff(found.offsets)
        if rate is None:
            assert (rows == 1).all()
        elif name == "ge2e_mel":  # of the trimmed speech
            assert ((rows > 50) & (rows <= seconds * rate + 3)).all()
        else:
            within = 6 if name.endswith("_lld") else 3  # of windows of 60 ms, whole ones alone
            assert (np.abs(rows - seconds * rate) <= within).all()
        middle = (found.offsets[:-1] + found.offsets[1:]) // 2
        assert len(np.unique(found.frames[middle], axis=0)) == len(manifest)
    assert not cache.verify().problems


@pytest.mark.long
def test_device_batches_and_workers_are_a_hit_and_change_nothing(
    corpus, extracted, monkeypatch, tmp_path
):
    manifest, root = corpus
    cache, _ = extracted
    _batches(monkeypatch, 10**9)  # one batch
    again = extract(manifest, root, list(SPECS), cache, device="auto", workers=1)
    assert again.computed == dict.fromkeys(SPECS, 0)
    other = Cache(tmp_path)
    few = manifest.select(manifest.ids[:3])
    extract(few, root, list(SPECS), other, device="cpu", workers=1)
    for name in SPECS:
        key = make_backbone(name).key()
        ours, theirs = (where.read(key, few).frames.astype("f4") for where in (cache, other))
        bound = 1e-3 if name in HALF else 1e-4  # a step of float16 is 5e-4
        assert np.abs(ours - theirs).max() / np.abs(ours).max() < bound


@pytest.mark.long
def test_other_weights_are_a_miss(corpus, extracted, folders, monkeypatch):
    manifest, _ = corpus
    cache, _ = extracted
    for name in WEIGHTS:
        assert cache.missing(make_backbone(name).key(), manifest) == []
    monkeypatch.setenv("SER_WEIGHTS", str(folders[1]))
    for name in WEIGHTS:
        assert cache.missing(make_backbone(name).key(), manifest) == list(manifest.ids)


@pytest.mark.long
def test_float16_is_stored(corpus, extracted, tmp_path):
    manifest, root = corpus
    cache = Cache(tmp_path)
    spec = "logmel:dtype=float16"
    assert extract(manifest, root, [spec], cache, workers=0).bad == []
    half = cache.read(make_backbone(spec).key(), manifest).frames
    whole = extracted[0].read(make_backbone("logmel").key(), manifest).frames
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, whole.astype(np.float16))


def test_float16_that_overflows_is_refused(corpus, monkeypatch, tmp_path):
    manifest, root = corpus
    cache = Cache(tmp_path)
    prepare = LogMel.prepare
    lengths = set()

    def loud(self, samples):
        lengths.add(len(samples))
        frames = prepare(self, samples)
        frames[3, 5] = 70_000 if len(lengths) == 2 else 60_000
        return frames

    monkeypatch.setattr(LogMel, "prepare", loud)
    few = manifest.select(manifest.ids[:2])
    assert few.table["duration"].nunique() == 2
    report = extract(few, root, ["logmel:dtype=float16"], cache, workers=0)
    assert [bad.id for bad in report.bad] == [few.ids[1]]
    assert f"utterance {few.ids[1]}: 70000 does not fit into float16" in report.bad[0].reason
    assert report.computed == {"logmel:dtype=float16": 1}


@pytest.mark.long
@pytest.mark.skipif("SER_TEST_CORPORA" not in os.environ, reason="SER_TEST_CORPORA is not set")
def test_real_speech_through_every_backbone_at_its_real_size(tmp_path, monkeypatch):
    pytest.importorskip("allosaurus")
    pytest.importorskip("transformers")
    weights = tmp_path / "weights"
    write_allosaurus(weights / "uni2005")
    write_speech_model(weights / "hub" / "facebook--wav2vec2-base", "wav2vec2", real_size=True)
    for write in WEIGHTS.values():
        write(weights)
    monkeypatch.setenv("SER_WEIGHTS", str(weights))
    source = Path(os.environ["SER_TEST_CORPORA"], "emodb", "wav")
    root = tmp_path / "emodb"
    (root / "wav").mkdir(parents=True)
    for path in sorted(source.iterdir())[::180]:
        shutil.copy(path, root / "wav")
    manifest = build_manifest("emodb", root).manifest
    assert len(manifest) == 3
    cache = Cache(tmp_path / "cache")
    shapes = {**SHAPES, "allosaurus": (230, 100 / 3), "wav2vec2": (768, 50.0)}
    report = extract(manifest, root, list(shapes), cache, device="cpu", workers=0)
    assert report.bad == []
    assert report.computed == dict.fromkeys(shapes, 3)
    keys = [make_backbone(name).key() for name in shapes]
    assert [(key.dim, key.frame_rate) for key in keys] == list(shapes.values())
    assert all(np.isfinite(cache.read(key, manifest).frames).all() for key in keys)
    assert not cache.verify().problems
