import sys

import numpy as np
import pytest

from ser.errors import AudioError, MissingPackageError
from ser.extract import make_backbone
from ser.extract.backbones import egemaps

opensmile = pytest.importorskip("opensmile")
NOISE = np.random.default_rng(0).normal(scale=0.1, size=16000).astype("f4")


@pytest.fixture(scope="module")
def smile():
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )


def test_equal_to_opensmile(smile):
    backbone = make_backbone("egemaps")
    for samples in (NOISE, NOISE[:1600], NOISE[:12345] * 0.1):
        ours = backbone.prepare(samples)
        theirs = smile.process_signal(samples, 16000)
        assert theirs.shape == (1, 88)
        np.testing.assert_array_equal(ours, theirs.to_numpy()[0])
        assert (ours.shape, ours.dtype) == ((88,), np.float32)


def test_full_scale_does_not_wrap_around(smile):
    square = np.where(np.arange(16000) // 80 % 2, 1, -1).astype("f4")
    highest = np.minimum(square, 32767 / 32768).astype("f4")
    expected = smile.process_signal(highest, 16000).to_numpy()[0]
    for samples in (square, square * np.float32(1.5)):
        np.testing.assert_array_equal(make_backbone("egemaps").prepare(samples), expected)


def test_one_utterance_leaves_nothing_for_the_next():
    backbone = make_backbone("egemaps")
    first = backbone.prepare(NOISE)
    backbone.prepare(NOISE[:4000] * 3)
    np.testing.assert_array_equal(backbone.prepare(NOISE), first)
    assert egemaps._smile() is egemaps._smile()


@pytest.mark.filterwarnings("error")
def test_too_short():
    with pytest.raises(AudioError, match="too short"):
        make_backbone("egemaps").prepare(NOISE[:400])


def test_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    egemaps._smile.cache_clear()
    with pytest.raises(MissingPackageError, match=r"package opensmile .*\[egemaps\]"):
        make_backbone("egemaps").prepare(NOISE)


def test_its_licence_is_stated():
    assert "not for commercial use" in make_backbone("egemaps").licence
