import warnings

import librosa
import numpy as np
import pytest

from ser.extract import make_backbone

NOISE = np.random.default_rng(0).normal(scale=0.1, size=32000).astype("f4")


@pytest.mark.parametrize("samples", [1600, 16000, 31999])
@pytest.mark.parametrize(("hop_length", "n_fft"), [(160, 512), (512, 2048)])
def test_equal_to_librosa(samples, hop_length, n_fft):
    audio = NOISE[:samples] * np.linspace(0, 1, samples, dtype="f4")
    backbone = make_backbone(f"logmel:hop_length={hop_length}:n_fft={n_fft}")
    ours = backbone.prepare(audio)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, of short utterances
        mel = librosa.feature.melspectrogram(
            y=audio, sr=16000, n_fft=n_fft, hop_length=hop_length, n_mels=64
        )
    np.testing.assert_allclose(ours, librosa.power_to_db(mel).T, rtol=1e-5, atol=1e-3)
    assert ours.shape == (1 + samples // hop_length, 64)
    assert ours.dtype == np.float32
    assert backbone.frame_rate == 16000 / hop_length


@pytest.mark.filterwarnings("error")
def test_no_band_is_empty_by_default():
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=64)
    assert (filters.max(axis=1) > 0).all()
    assert make_backbone("logmel").spec == make_backbone("logmel:n_fft=512:hop_length=160").spec
