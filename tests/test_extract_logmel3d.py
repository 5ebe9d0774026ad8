import warnings

import librosa
import numpy as np
import pytest

from ser.extract import make_backbone
from ser.extract.backbones.logmel3d import deltas

NOISE = np.random.default_rng(0).normal(scale=0.1, size=32000).astype("f4")


@pytest.mark.parametrize("samples", [1600, 16000, 31999])
def test_equal_to_librosa(samples):
    audio = NOISE[:samples] * np.linspace(0, 1, samples, dtype="f4")
    ours = make_backbone("logmel3d").prepare(audio)
    bands = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=audio, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=40
        )
    )
    slopes = librosa.feature.delta(bands, width=5, mode="nearest")
    theirs = np.concatenate([bands, slopes, librosa.feature.delta(slopes, width=5, mode="nearest")])
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-5, atol=1e-3)
    assert ours.shape == (1 + samples // 160, 120)
    assert ours.dtype == np.float32


def test_deltas_by_hand():
    """(1 (x[t+1] - x[t-1]) + 2 (x[t+2] - x[t-2])) / 10, the ends repeated."""
    frames = np.array([[0, 1], [1, 1], [4, 1], [9, 1], [16, 1]], "f4")
    slopes = deltas(frames)
    np.testing.assert_allclose(slopes[:, 0], [0.9, 2.2, 4.0, 4.2, 3.1], rtol=1e-6)
    np.testing.assert_array_equal(slopes[:, 1], 0)
    np.testing.assert_array_equal(deltas(frames[:1]), 0)
    np.testing.assert_allclose(deltas(frames[:2])[:, 0], [0.3, 0.3], rtol=1e-6)


def test_no_band_is_empty():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # librosa's, of bands without a bin
        librosa.filters.mel(sr=16000, n_fft=512, n_mels=40)


def test_loudness_changes_the_bands_alone():
    quiet, loud = (make_backbone("logmel3d").prepare(gain * NOISE) for gain in (1, 10))
    np.testing.assert_allclose(loud[:, :40], quiet[:, :40] + 20, atol=1e-3)
    np.testing.assert_allclose(loud[:, 40:], quiet[:, 40:], atol=1e-3)
