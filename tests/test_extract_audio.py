import numpy as np
import pytest
import soundfile
import soxr

from ser.errors import AudioError
from ser.extract.audio import load_utterance, to_recipe
from ser.manifests import read_audio


def tone(rate, seconds=0.5, hertz=440.0):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("f4")


def test_channels_are_averaged():
    left, right = tone(16000), tone(16000, hertz=300.0)
    mono = to_recipe(np.stack([left, right], axis=1), 16000)
    np.testing.assert_allclose(mono, (left + right) / 2, atol=1e-7)
    assert mono.dtype == np.float32
    assert mono.flags.c_contiguous


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 192000])
def test_every_rate_becomes_16_khz(rate):
    mono = to_recipe(tone(rate)[:, None], rate)
    assert len(mono) == 8000
    inner = slice(800, -800)  # away from the filter's edges
    np.testing.assert_allclose(mono[inner], tone(16000)[inner], atol=1e-3)
    np.testing.assert_array_equal(mono, soxr.resample(tone(rate), rate, 16000, quality="VHQ"))


def test_16_khz_is_left_alone():
    np.testing.assert_array_equal(to_recipe(tone(16000)[:, None], 16000), tone(16000))


def test_channels_that_cancel_are_not_silently_zeros():
    with pytest.raises(AudioError, match="cancel"):
        to_recipe(np.stack([tone(16000), -tone(16000)], axis=1), 16000)


def test_the_audio_must_be_the_manifests(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(8000), 8000)
    sha = read_audio(path).sha
    assert len(load_utterance(path, sha)) == 8000
    soundfile.write(path, tone(8000) * 0.5, 8000)
    with pytest.raises(AudioError, match="changed since the manifest was made; build it again"):
        load_utterance(path, sha)


def test_what_lies_above_8_khz_is_not_silently_zeros():
    swelling = tone(96000, hertz=30000.0) * np.hanning(48000).astype("f4")
    with pytest.raises(AudioError, match="nothing of its sound is left at 16000 Hz"):
        to_recipe(swelling[:, None], 96000)
