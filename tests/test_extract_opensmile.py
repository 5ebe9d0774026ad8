import sys

import numpy as np
import pytest

from ser.errors import AudioError, MissingPackageError
from ser.extract import make_backbone
from ser.extract.backbones import opensmile as ours

opensmile = pytest.importorskip("opensmile")
NOISE = np.random.default_rng(0).normal(scale=0.1, size=16000).astype("f4")
SETS = {
    "egemaps": ("eGeMAPSv02", "Functionals", 88),
    "egemaps_lld": ("eGeMAPSv02", "LowLevelDescriptors", 25),
    "compare": ("ComParE_2016", "Functionals", 6373),
    "compare_lld": ("ComParE_2016", "LowLevelDescriptors", 65),
    "emobase": ("emobase", "Functionals", 988),
}


@pytest.fixture(scope="module", params=SETS)
def pair(request):
    """A backbone, and the package's own object that it has to equal."""
    features, level, dim = SETS[request.param]
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[features], feature_level=opensmile.FeatureLevel[level]
    )
    assert smile.num_features == dim
    return make_backbone(request.param), smile


def test_equal_to_opensmile(pair):
    backbone, smile = pair
    for samples in (NOISE, NOISE[:1600], NOISE[:12345] * 0.1):
        found = backbone.prepare(samples)
        table = smile.process_signal(samples, 16000).to_numpy()
        if backbone.kind == "vector":
            assert len(table) == 1
            table = table[0]
        assert found.shape[-1] == backbone.dim
        np.testing.assert_array_equal(found, table)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous


@pytest.mark.parametrize("name", ["egemaps_lld", "compare_lld"])
def test_descriptors_have_a_row_every_10_ms(name):
    """Of windows of 60 ms, and one more at the end; sound from .5 s on is loud by row 50."""
    backbone = make_backbone(name)
    column = {"egemaps_lld": 0, "compare_lld": 8}[name]  # loudness, energy
    late = np.where(np.arange(16000) < 8000, np.float32(1e-4), np.float32(1)) * NOISE
    for length in (960, 1119, 1120, 1600, 16000):
        frames = backbone.prepare(late[:length])
        assert frames.shape == (2 + (length - 960) // 160, backbone.dim)
    loud = frames[:, column] > frames[:, column].max() / 2
    assert 45 <= np.flatnonzero(loud)[0] <= 50
    assert backbone.frame_rate == 100


def test_keys_of_earlier_caches_are_still_found():
    assert make_backbone("egemaps").key().hash == "0f380969c1759869"


def test_full_scale_does_not_wrap_around():
    square = np.where(np.arange(16000) // 80 % 2, 1, -1).astype("f4")
    highest = np.minimum(square, 32767 / 32768).astype("f4")
    smile = opensmile.Smile(feature_set="eGeMAPSv02", feature_level="func")
    expected = smile.process_signal(highest, 16000).to_numpy()[0]
    for samples in (square, square * np.float32(1.5)):
        np.testing.assert_array_equal(make_backbone("egemaps").prepare(samples), expected)


def test_one_utterance_leaves_nothing_for_the_next(pair):
    backbone, _ = pair
    first = backbone.prepare(NOISE)
    backbone.prepare(NOISE[:4000] * 3)
    np.testing.assert_array_equal(backbone.prepare(NOISE), first)
    level = backbone.constants["level"]
    smile = ours._smile(backbone.constants["feature_set"], level)
    assert smile is ours._smile(backbone.constants["feature_set"], level)


@pytest.mark.filterwarnings("error")
def test_too_short(pair):
    backbone, _ = pair
    with pytest.raises(AudioError, match="too short"):
        backbone.prepare(NOISE[:400])


def test_too_long():
    with pytest.raises(AudioError, match="too long: emobase is of 600 s at most"):
        make_backbone("emobase").prepare(np.zeros(601 * 16000, "f4"))


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    ours._smile.cache_clear()
    with pytest.raises(MissingPackageError, match=r"package opensmile .*\[opensmile\]"):
        make_backbone("compare").prepare(NOISE)


def test_its_licence_is_stated(pair):
    assert "not for commercial use" in pair[0].licence
