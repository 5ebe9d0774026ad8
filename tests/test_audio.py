"""Reading audio: what one file decodes to, its hash, and the reasons for refusing it."""

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ser.errors import AudioError, MissingPackageError
from ser.manifests import read_audio


def noise(seconds=0.5, rate=16000, channels=1, seed=0):
    """Noise that 16 bits hold exactly, as int16, frames x channels."""
    shape = (round(seconds * rate), channels)
    return np.random.default_rng(seed).integers(-9000, 9000, shape, dtype=np.int16)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(), 16000)
    return path


def reason(path):
    with pytest.raises(AudioError) as caught:
        read_audio(path)
    assert str(path) not in str(caught.value)
    assert "BytesIO" not in str(caught.value)
    return str(caught.value)


def test_samples_and_hash_by_hand(wav):
    audio = read_audio(wav)
    expected = noise().astype(np.float32) / 32768
    np.testing.assert_array_equal(audio.samples, expected)
    assert audio.samples.dtype == np.float32
    assert (audio.rate, audio.duration) == (16000, 0.5)
    digest = hashlib.sha256(b"16000 Hz, 1 channels\n" + expected.astype("<f4").tobytes())
    assert audio.sha == digest.hexdigest()[:32]


@pytest.mark.parametrize("name", ["b.flac", "b.aiff", "b.wav"])
def test_lossless_copies_share_the_hash(tmp_path, wav, name):
    soundfile.write(tmp_path / name, noise(), 16000)
    assert read_audio(tmp_path / name).sha == read_audio(wav).sha


def test_more_bits_for_the_same_sound_share_the_hash(tmp_path, wav):
    soundfile.write(tmp_path / "b.wav", noise().astype(np.int32) << 16, 16000, subtype="PCM_24")
    soundfile.write(tmp_path / "c.wav", noise() / 32768, 16000, subtype="FLOAT")
    assert {read_audio(tmp_path / name).sha for name in ("b.wav", "c.wav")} == {read_audio(wav).sha}


@pytest.mark.parametrize("channels", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_the_same_in_several_channels_shares_the_hash(tmp_path, channels, subtype):
    sound = np.random.default_rng(channels).uniform(-0.5, 0.5, 8000)
    soundfile.write(tmp_path / "mono.wav", sound, 16000, subtype)
    soundfile.write(tmp_path / "more.wav", np.tile(sound[:, None], channels), 16000, subtype)
    one, other = (read_audio(tmp_path / name) for name in ("mono.wav", "more.wav"))
    assert other.samples.shape == (8000, channels)
    assert one.sha == other.sha


def test_negative_zero_is_zero(tmp_path):
    sound = noise()[:, 0].astype(np.float32) / 32768
    sound[:10] = 0.0
    soundfile.write(tmp_path / "plus.wav", sound, 16000, subtype="FLOAT")
    sound[:10] = -0.0
    soundfile.write(tmp_path / "minus.wav", sound, 16000, subtype="FLOAT")
    assert read_audio(tmp_path / "plus.wav").sha == read_audio(tmp_path / "minus.wav").sha


def test_rate_channels_and_any_sample_change_the_hash(tmp_path, wav):
    hashes = {read_audio(wav).sha}
    changed = noise()
    changed[1234] += 1
    variants = [(noise(), 8000), (changed, 16000), (noise().reshape(-1, 2), 16000)]
    for number, (sound, rate) in enumerate(variants):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, sound, rate)
        hashes.add(read_audio(path).sha)
    assert len(hashes) == 4


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (192000, 1), (44100, 2), (16000, 6)])
def test_unusual_rates_and_channels_are_fine(tmp_path, rate, channels):
    soundfile.write(tmp_path / "a.wav", noise(0.2, rate, channels), rate)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.samples.shape == (round(0.2 * rate), channels)
    assert audio.rate == rate


def test_a_folder_and_a_missing_file(tmp_path):
    assert reason(tmp_path / "none.wav") == "no such file"
    assert reason(tmp_path) == "not a file"


def test_bytes_that_are_no_audio(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    assert reason(path) == "the file is empty"
    path.write_bytes(b"dear diary, today I spoke")
    assert "Format not recognised" in reason(path)
    assert "dear diary" in reason(path)


def test_silence_is_refused_and_a_whisper_is_not(tmp_path):
    path = tmp_path / "a.wav"
    for level in (0, 500):  # nothing, and an offset with nothing in it
        soundfile.write(path, np.full(8000, level, np.int16), 16000)
        assert "silent" in reason(path)
    soundfile.write(path, np.tile(np.array([-2, 2], np.int16), 4000), 16000)
    assert read_audio(path).duration == 0.5


def test_the_shortest_sound(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.01), 16000)
    assert reason(path) == "too short: 0.010 s of sound, at least 0.1 s needed"
    soundfile.write(path, noise(0.1), 16000)
    assert read_audio(path).duration == 0.1
    soundfile.write(path, noise(0), 16000)
    assert "too short" in reason(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    sound = noise()[:, 0] / 32768
    sound[77] = value
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    assert "NaN or infinity" in reason(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_truncated_files_are_refused(tmp_path, name, kept):
    path = tmp_path / name
    soundfile.write(path, noise(), 16000)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "truncated" in reason(path) or "cannot be decoded" in reason(path)


def test_a_wav_cut_says_how_much_is_there(wav):
    wav.write_bytes(wav.read_bytes()[:8044])
    assert reason(wav) == "truncated: 8000 of 16000 bytes of sound are there"


def test_a_wav_cut_inside_its_header(wav):
    wav.write_bytes(wav.read_bytes()[:40])
    assert "truncated" in reason(wav)


def test_a_flac_cut_between_frames(tmp_path):
    """libsndfile says nothing when whole frames are missing at the end."""
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(), 16000)
    data = bytearray(path.read_bytes())
    # STREAMINFO: the last 36 bits before the MD5 are the number of samples; here 8000.
    assert int.from_bytes(data[22:26], "big") == 8000
    data[22:26] = (9000).to_bytes(4, "big")
    path.write_bytes(data)
    assert "truncated" in reason(path) or "cannot be decoded" in reason(path)
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert "does not say its length" in reason(path)


@pytest.mark.parametrize(
    ("form", "sound"), [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0, 16000)]
)
def test_streamed_headers_are_read_whole(wav, form, sound):
    whole = read_audio(wav).sha
    data = bytearray(wav.read_bytes())
    data[4:8], data[40:44] = struct.pack("<I", form), struct.pack("<I", sound)
    wav.write_bytes(data)
    assert read_audio(wav).sha == whole


def test_chunks_around_the_sound_do_no_harm(wav):
    whole = read_audio(wav).sha
    data = wav.read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"  # an odd chunk is padded
    body = data[8:36] + odd + data[36:] + odd
    wav.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert read_audio(wav).sha == whole
    # What is cut off behind the sound is not missed.
    wav.write_bytes(wav.read_bytes()[:-6])
    assert read_audio(wav).sha == whole


def test_names_that_are_no_utf8(tmp_path, wav):
    try:
        path = tmp_path / b"Col\x8are.wav".decode("utf-8", "surrogateescape")
        path.write_bytes(wav.read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are valid text")
    assert read_audio(path).sha == read_audio(wav).sha


def test_without_soundfile(wav, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingPackageError, match=r"\[extract\]"):
        read_audio(wav)


def test_importing_the_room_is_light():
    heavy = "{'pandas', 'soundfile', 'torch', 'h5py', 'librosa'}"
    code = f"import sys, ser.manifests; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
