"""Recordings piece by piece: the samples of the whole, whatever the pieces; and what breaks off."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import AudioError
from ser.extract.audio import RATE, to_recipe
from ser.extract.recording import stream
from ser.manifests import read_audio
from ser.tests.audio_files import noise

WHOLE = 1 << 40


def joined(sound, block=1 << 14):
    return np.concatenate([*stream(sound, block)])


def broken(sound, block=1 << 14):
    """What came of a stream before the error, and its message."""
    pieces = [np.empty(0, np.float32)]
    with pytest.raises(AudioError) as caught:
        pieces.extend(stream(sound, block))
    return np.concatenate(pieces), str(caught.value)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 1), (22050, 3)])
def test_pieces_are_the_whole(tmp_path_factory, rate, channels):
    path = tmp_path_factory.mktemp("sound") / "x.wav"
    sound = noise(0.9, rate, channels)
    soundfile.write(path, sound, rate, subtype="FLOAT")
    whole = to_recipe(sound, rate)

    @settings(max_examples=8)
    @given(st.one_of(st.integers(600, 5000), st.just(WHOLE)))
    def check(block):
        np.testing.assert_array_equal(joined(path, block), whole)
        np.testing.assert_array_equal(joined((sound, rate), block), whole)

    check()
    np.testing.assert_array_equal(joined((sound[:5000], rate), 1), to_recipe(sound[:5000], rate))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_container(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, noise(5, 44100, 2), 44100)
    audio = read_audio(path)
    np.testing.assert_array_equal(joined(path), to_recipe(audio.samples, audio.rate))


def test_real_speech(tmp_path):
    corpora = os.environ.get("SER_TEST_CORPORA")
    if not corpora:
        pytest.skip("SER_TEST_CORPORA is not set")
    files = sorted((Path(corpora) / "ravdess").rglob("*.flac"))[:3]
    assert files
    for file in files:
        audio = read_audio(Path(file))
        whole = to_recipe(audio.samples, audio.rate)
        for block in (1000, WHOLE):
            np.testing.assert_array_equal(joined(file, block), whole)


def test_more_than_an_hour(tmp_path):
    """At the lowest rate, of few bytes: an utterance may not be as long."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(noise(61, 4000), (60, 1)), 4000, subtype="ULAW")
    assert sum(map(len, stream(path))) == 61 * 60 * RATE
    with pytest.raises(AudioError, match="too long"):
        read_audio(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
@pytest.mark.parametrize("block", [1000, 4096, WHOLE])
def test_what_comes_before_a_sample_that_is_none(value, block):
    sound = noise(2, channels=2)
    sound[20_000, 1] = value
    samples, message = broken((sound, 16000), block)
    np.testing.assert_array_equal(samples, to_recipe(sound[:20_000], 16000))
    assert message.startswith("after 1.25 s: ")
    assert ("3, where full scale is 1" if value == 3 else "no finite numbers") in message


def test_what_comes_before_damage(tmp_path):
    path = tmp_path / "x.flac"
    soundfile.write(path, noise(8), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    samples, message = broken(path)
    assert 3 * RATE < len(samples) <= 4 * RATE
    np.testing.assert_allclose(samples, noise(8)[: len(samples), 0], atol=1e-4)
    assert "truncated" in message or "cannot be decoded" in message


def test_a_container_that_lacks_sound_is_refused_at_once(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, noise(2), 16000)
    path.write_bytes(path.read_bytes()[:-1000])
    samples, message = broken(path)
    assert not len(samples)
    assert message.startswith("truncated")


def test_what_is_no_recording(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("hello")
    opposite = noise(1) * np.array([[1, -1]], np.float32)
    for sound, reason in {
        tmp_path / "none.wav": "no such file",
        tmp_path: "not a file",
        tmp_path / "empty.wav": "the file is empty",
        tmp_path / "text.wav": "Format not recognised",
    }.items():
        assert reason in broken(sound)[1]
    assert broken((np.zeros(16000), 16000))[1] == "silent: all samples are (nearly) the same"
    assert "cancel each other out" in broken((opposite, 16000))[1]
    assert "too short: 0.050 s" in broken((noise(0.05), 16000))[1]
    hiss = np.sin(np.arange(96000) * 2) * np.hanning(96000)  # 30 kHz
    assert "nothing of its sound is left" in broken((hiss, 96000))[1]
    assert "expected a file" in broken(("x", "y"))[1]
