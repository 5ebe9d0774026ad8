import warnings

import librosa
import numpy as np
import pytest

from ser.extract import make_backbone

NOISE = np.random.default_rng(0).normal(scale=0.1, size=32000).astype("f4")


@pytest.mark.parametrize("samples", [1600, 16000, 31999])
@pytest.mark.parametrize(
    ("spec", "bands", "hop_length", "n_fft"),
    [
        ("logmel", 64, 160, 512),
        ("logmel:hop_length=512:n_fft=2048", 64, 512, 2048),
        ("logmel128", 128, 512, 2048),
    ],
)
def test_equal_to_librosa(samples, spec, bands, hop_length, n_fft):
    audio = NOISE[:samples] * np.linspace(0, 1, samples, dtype="f4")
    backbone = make_backbone(spec)
    ours = backbone.prepare(audio)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, of short utterances
        mel = librosa.feature.melspectrogram(
            y=audio, sr=16000, n_fft=n_fft, hop_length=hop_length, n_mels=bands
        )
    np.testing.assert_allclose(ours, librosa.power_to_db(mel).T, rtol=1e-5, atol=1e-3)
    assert ours.shape == (1 + samples // hop_length, bands)
    assert ours.dtype == np.float32
    assert backbone.frame_rate == 16000 / hop_length


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("spec", "bands", "n_fft"), [("logmel", 64, 512), ("logmel128", 128, 2048)]
)
def test_no_band_is_empty_by_default(spec, bands, n_fft):
    filters = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=bands)
    assert (filters.max(axis=1) > 0).all()
    assert make_backbone(f"{spec}:n_fft={n_fft}").spec == spec
