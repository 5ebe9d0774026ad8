"""`spectral` and `pitch` against librosa's own functions, on noise, tones and real speech."""

import os
from pathlib import Path

import librosa
import numpy as np
import pytest

from ser.errors import AudioError, InputError
from ser.extract import make_backbone
from ser.manifests.audio import read_audio

NOISE = np.random.default_rng(0).normal(scale=0.1, size=24000).astype("f4")
GLIDE = (0.3 * np.sin(np.cumsum(2 * np.pi * np.linspace(100, 300, 24000) / 16000))).astype("f4")


def speech():
    """Three real utterances where there are some, or else a glide."""
    corpora = os.environ.get("SER_TEST_CORPORA")
    if not corpora:
        return [GLIDE]
    return [
        read_audio(path).mono for path in sorted(Path(corpora, "emodb", "wav").iterdir())[::200]
    ]


def librosas(y, n_fft, hop):
    """The features as a script asks librosa for them, each from the samples: (frames, 31)."""
    feature, sizes = librosa.feature, {"y": y, "n_fft": n_fft, "hop_length": hop}
    frames = {"frame_length": n_fft, "hop_length": hop}
    chroma = feature.chroma_stft(sr=16000, tuning=0, **sizes)
    parts = [
        chroma,
        feature.spectral_contrast(sr=16000, **sizes),
        feature.tonnetz(chroma=chroma),
        feature.spectral_centroid(sr=16000, **sizes),
        feature.spectral_bandwidth(sr=16000, **sizes),
        feature.spectral_rolloff(sr=16000, **sizes),
        feature.spectral_flatness(**sizes),
        feature.zero_crossing_rate(y, **frames),
        feature.rms(y=y, **frames),
    ]
    assert [len(part) for part in parts] == [12, 7, 6, 1, 1, 1, 1, 1, 1]
    return np.concatenate(parts).T


@pytest.mark.parametrize(("n_fft", "hop_length"), [(2048, 512), (512, 160)])
def test_spectral_is_librosas(n_fft, hop_length):
    backbone = make_backbone(f"spectral:hop_length={hop_length}:n_fft={n_fft}")
    for samples in [*speech(), NOISE, GLIDE]:
        ours = backbone.prepare(samples)
        np.testing.assert_allclose(ours, librosas(samples, n_fft, hop_length), rtol=1e-4, atol=1e-4)
        assert ours.shape == (1 + len(samples) // hop_length, backbone.dim)
        assert (ours.dtype, ours.flags.c_contiguous) == (np.float32, True)
    assert backbone.frame_rate == 16000 / hop_length


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["spectral", "spectral:n_fft=256:hop_length=256", "pitch"])
def test_what_is_short_or_has_silence_is_finite(name):
    backbone = make_backbone(name)
    silence = NOISE * (np.arange(24000) // 4000 % 2).astype("f4")
    for samples in (NOISE[:1600], silence, np.round(silence * 32768) / np.float32(32768)):
        frames = backbone.prepare(samples)
        assert frames.shape == (1 + len(samples) // backbone.hop_length, backbone.dim)
        assert np.isfinite(frames).all()


def test_pitch_of_a_glide():
    """From 100 to 300 Hz in a second and a half: semitones above 27.5 Hz."""
    frames = make_backbone("pitch").prepare(GLIDE)
    assert frames.shape == (47, 3)
    inner = slice(3, -3)
    expected = 12 * np.log2((100 + 200 * np.arange(47) * 512 / 24000) / 27.5)
    assert (frames[inner, 1] == 1).all()
    np.testing.assert_allclose(frames[inner, 0], expected[inner], atol=0.25)
    assert frames[inner, 2].min() > 0.4
    assert make_backbone("pitch").prepare(NOISE)[:, 2].max() < 0.05


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ("pitch", {}),
        ("pitch:fmax=400:fmin=80:hop_length=320", {"fmin": 80, "fmax": 400, "hop_length": 320}),
    ],
)
def test_pitch_is_pyins(spec, settings):
    settings = {"fmin": 60, "fmax": 600, "hop_length": 512, **settings}
    backbone = make_backbone(spec)
    for samples in speech():
        hertz, voiced, probability = librosa.pyin(samples, sr=16000, frame_length=1024, **settings)
        ours = backbone.prepare(samples)
        assert 0.2 < ours[:, 1].mean() <= 1
        np.testing.assert_array_equal(ours[:, 1] == 1, voiced)
        np.testing.assert_allclose(27.5 * 2 ** (ours[voiced, 0] / 12), hertz[voiced], rtol=1e-5)
        assert (ours[~voiced, 0] == 0).all()
        np.testing.assert_allclose(ours[:, 2], probability, rtol=1e-6)
    assert backbone.frame_rate == 16000 / settings["hop_length"]


@pytest.mark.parametrize("spec", ["spectral:n_fft=128", "pitch:fmin=20", "pitch:fmin=80:fmax=100"])
def test_what_cannot_be(spec):
    with pytest.raises(InputError, match="must be from"):
        make_backbone(spec)


@pytest.mark.parametrize("name", ["spectral", "pitch"])
def test_what_is_not_finite_is_refused(name, monkeypatch):
    broken = np.full((1, 32), np.nan)
    monkeypatch.setattr(librosa.feature, "rms", lambda **_: broken[:, :4])
    monkeypatch.setattr(librosa, "pyin", lambda *_, **__: (broken[0], broken[0] != 1, broken[0]))
    with pytest.raises(AudioError, match="finite"):
        make_backbone(name).prepare(NOISE[:1600])
