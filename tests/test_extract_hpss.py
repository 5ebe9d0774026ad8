"""`hpss` against librosa, and what it takes for harmonic and percussive."""

import librosa
import numpy as np
import pytest

from ser.errors import InputError
from ser.extract import make_backbone

NOISE = np.random.default_rng(0).normal(scale=0.1, size=32000).astype("f4")
TONE = (0.3 * np.sin(2 * np.pi * 1000 / 16000 * np.arange(32000))).astype("f4")
CLICKS = np.where(np.arange(32000) % 8000 == 4000, np.float32(0.9), np.float32(0))


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large")
@pytest.mark.parametrize("samples", [1600, 31999])
@pytest.mark.parametrize(
    ("spec", "hop_length", "n_fft", "margin"),
    [("hpss", 372, 2048, 1.0), ("hpss:hop_length=160:margin=5:n_fft=1024", 160, 1024, 5.0)],
)
def test_equal_to_librosa(samples, spec, hop_length, n_fft, margin):
    audio = (NOISE + TONE + CLICKS)[:samples]
    backbone = make_backbone(spec)
    ours = backbone.prepare(audio)
    magnitudes = np.abs(librosa.stft(audio, n_fft=n_fft, hop_length=hop_length))
    theirs = [
        librosa.power_to_db(librosa.feature.melspectrogram(S=part**2, sr=16000, n_mels=128))
        for part in librosa.decompose.hpss(magnitudes, margin=margin)
    ]
    np.testing.assert_allclose(ours, np.concatenate(theirs).T, atol=1e-3)
    assert ours.shape == (1 + samples // hop_length, 256)
    assert ours.dtype == np.float32
    assert backbone.frame_rate == 16000 / hop_length


def test_a_tone_is_harmonic_and_a_click_percussive():
    band = np.argmax(make_backbone("logmel128").prepare(TONE)[30])
    tone = make_backbone("hpss").prepare(TONE + NOISE / 100)[30]
    assert np.argmax(tone[:128]) == band
    assert tone[band] > tone[128 + band] + 40
    frame = round(12000 / 372)  # of the second click
    click = make_backbone("hpss").prepare(CLICKS + NOISE / 100)[frame]
    assert (click[128:] > click[:128] + 10).all()


def test_128_frames_take_as_long_as_at_librosas_rate_and_hop():
    assert 128 / make_backbone("hpss").frame_rate == pytest.approx(128 * 512 / 22050, rel=2e-3)


def test_what_cannot_be():
    with pytest.raises(InputError, match=r"margin must be from 1 to 100, got 0\.5"):
        make_backbone("hpss:margin=0.5")
