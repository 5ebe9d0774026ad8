"""What no utterance can be: too long, too loud, at an impossible rate, or a click."""

import os
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile

from ser.errors import AudioError
from ser.manifests import build_manifest, read_audio
from ser.manifests.decode import LONGEST, MOST_SAMPLES
from ser.tests.audio_files import encoded, noise, with_number


def reason(path):
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.wav"


@pytest.mark.parametrize("rate", [16, 1000, 3999, 768_001, 2_000_000])
def test_rates_that_are_impossible(path, rate):
    path.write_bytes(encoded("WAV", sound=noise(1.9), rate=rate))
    assert reason(path).startswith(f"its header says {rate} samples a second; speech has 4000 to")


@pytest.mark.parametrize("rate", [0, 2**31, 2**32 - 1])
def test_rates_that_libsndfile_refuses(path, rate):
    path.write_bytes(with_number(encoded("WAV"), 24, "<I", rate))
    assert "the rate or the number of channels in its header is impossible" in reason(path)


@pytest.mark.parametrize("rate", [4000, 6000, 11025, 96000, 768_000])
def test_rates_that_are_possible(path, rate):
    path.write_bytes(encoded("WAV", sound=noise(0.2, rate), rate=rate))
    assert read_audio(path).rate == rate


def test_channels(path):
    path.write_bytes(encoded("WAV", sound=noise(0.2, channels=64)))
    assert read_audio(path).samples.shape == (3200, 64)
    path.write_bytes(encoded("WAV", sound=noise(0.2, channels=65)))
    assert reason(path) == "its header says 65 channels; at most 64 are read"


def loud(peak):
    sound = noise(0.5)
    return (sound / np.abs(sound).max() * peak).astype("f4")


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("peak", [0.5, 1.0, 1.4, 1.99])
def test_a_little_over_full_scale_is_left_as_it_is(path, subtype, peak):
    path.write_bytes(encoded("WAV", subtype, loud(peak)))
    np.testing.assert_array_equal(read_audio(path).samples, loud(peak))


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "CAF"])
@pytest.mark.parametrize("peak", [-2.1, 4, 300, 32767, -8388608, 1e30])
def test_samples_in_another_scale(path, container, peak):
    path.write_bytes(encoded(container, "FLOAT", loud(peak)))
    assert "where full scale is 1: divide them by" in reason(path)


@pytest.mark.parametrize("at", [0, 4000, 7999])
def test_a_click_is_no_speech(path, at):
    sound = np.zeros((8000, 1), "f4")
    for height in (0.5, -0.5):
        sound[at] = height
        path.write_bytes(encoded("WAV", sound=sound))
        assert reason(path) == f"silent, but for a click after {at / 16000:.3f} s"
    sound[2000:6000] = noise(0.25)
    path.write_bytes(encoded("WAV", sound=sound))
    assert read_audio(path).duration == 0.5


@pytest.mark.parametrize("value", [0, 1, -0.5])
def test_a_constant_is_no_speech(path, value):
    path.write_bytes(encoded("WAV", "FLOAT", np.full((8000, 1), value, "f4")))
    assert reason(path).startswith("silent")
    channels = np.tile(np.array([[value, 0.25]], "f4"), (8000, 1))  # each is constant
    path.write_bytes(encoded("WAV", "FLOAT", channels))
    assert reason(path).startswith("silent")


def test_an_utterance_has_an_hour_at_most(path):
    sound = np.tile(np.array([50, -50], np.int16), LONGEST * 2000 + 1)
    soundfile.write(path, sound[:-2], 4000, format="WAV", subtype="PCM_U8")
    assert read_audio(path).duration == LONGEST
    soundfile.write(path, sound, 4000, format="WAV", subtype="PCM_U8")
    assert reason(path) == (
        "too long: 3600 s of sound or more, and an utterance has at most 3600 s; "
        "cut it into utterances"
    )


def claiming(frames):
    """A FLAC file of a hundred seconds at 4 kHz that claims another length."""
    sound = np.tile(np.array([[90], [-90]], np.int16), (200_000, 1))
    data = encoded("FLAC", "PCM_16", sound, 4000)
    return with_number(data, 21, ">BI", data[21] & 0xF0 | frames >> 32, frames % 2**32)


@pytest.mark.parametrize("frames", [2**36 - 1, 6 * 3600 * 4000, 400_001, 100])
def test_no_header_makes_us_claim_memory(path, frames):
    path.write_bytes(claiming(frames))
    tracemalloc.start()
    try:
        found = reason(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.split(":")[0] in ("too long", "truncated") or f"claims {frames} samples" in found
    assert peak < 20e6


def test_a_file_that_is_too_large(path):
    path.write_bytes(encoded("WAV"))
    os.truncate(path, MOST_SAMPLES * 4 + 1)
    assert reason(path).startswith("too large: 691200001 bytes, and at most 691200000 are read")


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_named_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    assert reason(path) == "cannot be read: it is not a regular file"


def test_links_that_lead_out_of_the_root_are_ordinary(tmp_path, path):
    (tmp_path / "elsewhere").write_bytes(encoded("WAV"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x.wav").symlink_to(tmp_path / "elsewhere")
    assert read_audio(tmp_path / "root" / "x.wav").duration == 0.5


def test_one_odd_file_does_not_end_the_work_on_the_others(tmp_path):
    """GSM and G.721 cannot be sought in, 2^36 samples fit into no memory."""
    files = {
        "wav": encoded("WAV"),
        "gsm": encoded("WAV", "GSM610"),
        "g721": encoded("WAV", "G721_32"),
        "nms": encoded("WAV", "NMS_ADPCM_32"),
        "huge": claiming(2**36 - 1),
        "cut": encoded("AU")[:9000],
        "slow": with_number(encoded("WAV"), 24, "<I", 16),
    }
    for name, data in files.items():
        (tmp_path / f"{name}.wav").write_bytes(data)
    rows = "".join(f"{name}.wav,anger\n" for name in files)
    (tmp_path / "mine.csv").write_text("path,emotion\n" + rows)
    made = build_manifest("mine", tmp_path, csv=tmp_path / "mine.csv", language="pt")
    assert set(made.manifest.ids) == {"wav", "gsm", "g721", "nms"}
    assert {bad.id: bad.reason.split(":")[0].split(" (")[0] for bad in made.bad} == {
        "huge": "too long",
        "cut": "truncated",
        "slow": "its header says 16 samples a second; speech has 4000 to 768000",
    }


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("odd"), OverflowError("x"), SystemError("y"), OSError("z")]
)
def test_whatever_is_raised_is_the_files(path, monkeypatch, error):
    path.write_bytes(encoded("WAV"))

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    found = reason(path)
    assert found == "needs more memory than there is" or str(error) in found
