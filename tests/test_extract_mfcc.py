import warnings

import librosa
import numpy as np
import pytest

from ser.extract import make_backbone
from ser.extract.backbones.spectrum import mel_filters, mel_power

NOISE = np.random.default_rng(0).normal(scale=0.1, size=48000).astype("f4")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("samples", [1600, 2047, 16000, 47999])
@pytest.mark.parametrize(("hop_length", "n_fft"), [(512, 2048), (160, 512), (160, 400)])
def test_equal_to_librosa(samples, hop_length, n_fft):
    audio = NOISE[:samples] * np.linspace(0, 1, samples, dtype="f4")
    backbone = make_backbone(f"mfcc:hop_length={hop_length}:n_fft={n_fft}")
    ours = backbone.prepare(audio)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, of short utterances and narrow bands
        theirs = librosa.feature.mfcc(
            y=audio, sr=16000, n_mfcc=24, hop_length=hop_length, n_fft=n_fft
        )
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-5, atol=1e-3)
    assert ours.shape == (1 + samples // hop_length, 24)
    assert ours.dtype == np.float32
    assert ours.flags.c_contiguous
    assert backbone.frame_rate == 16000 / hop_length


def test_defaults_are_librosas():
    theirs = librosa.feature.mfcc(y=NOISE, sr=16000, n_mfcc=24)
    ours = make_backbone("mfcc").prepare(NOISE)
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("seconds", [3, 30])  # the second is more than is transformed at a time
def test_mel_power_is_librosas_melspectrogram(seconds):
    audio = np.tile(NOISE, seconds // 3)
    theirs = librosa.feature.melspectrogram(y=audio, sr=16000, n_fft=400, hop_length=160, n_mels=40)
    ours = mel_power(audio, n_fft=400, hop_length=160, n_mels=40)
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-5)


@pytest.mark.parametrize("n_fft", [400, 1024, 2048])
@pytest.mark.parametrize("bands", [24, 64, 128])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_the_filters_are_librosas(n_fft, bands, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa's, of narrow bands
        theirs = librosa.filters.mel(
            sr=16000,
            n_fft=n_fft,
            n_mels=bands,
            fmin=60,
            fmax=7800,
            htk=scale == "htk",
            norm="slaney" if scale == "slaney" else None,
        )
    np.testing.assert_allclose(mel_filters(n_fft, bands, 60, 7800, scale), theirs, atol=1e-6)


def test_there_is_no_model_to_batch():
    backbone = make_backbone("mfcc")
    features = [backbone.prepare(NOISE[:n]) for n in (1600, 16000)]
    for alone, batched in zip(features, backbone.forward(features), strict=True):
        np.testing.assert_array_equal(alone, batched)
