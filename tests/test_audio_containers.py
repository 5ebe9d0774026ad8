"""Containers and codecs: whole files are read, cut ones are not, whatever wrote them."""

import numpy as np
import pytest
import soundfile

from ser.errors import AudioError
from ser.manifests import read_audio
from ser.manifests.containers import mpeg
from ser.tests.audio_files import ACCEPTED, REFUSED, encoded, noise, with_number, writable

KINDS = writable(ACCEPTED)
LOSSY = {
    *("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "G723_24", "G723_40"),
    *("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "VORBIS", "OPUS", "MPEG_LAYER_III"),
    *("PCM_S8", "PCM_U8", "DWVW_12", "DPCM_8"),
}
BLOCK = 1100
"""Frames by which codecs may fill up their last block."""


@pytest.fixture
def read(tmp_path):
    """Decode bytes."""

    def decode(data):
        (tmp_path / "x.wav").write_bytes(data)  # the name says nothing
        return read_audio(tmp_path / "x.wav")

    return decode


@pytest.fixture
def reason(read):
    """Why bytes are refused."""

    def refused(data):
        with pytest.raises(AudioError) as caught:
            read(data)
        return str(caught.value)

    return refused


def test_every_container_is_decided_on():
    known = {*ACCEPTED, *REFUSED, "RAW", "SD2", "SDS"}
    assert set(soundfile.available_formats()) <= known
    assert len(KINDS) > 60


@pytest.mark.parametrize(("container", "subtype"), KINDS)
def test_whole_files(read, container, subtype):
    audio = read(encoded(container, subtype))
    assert audio.rate == 16000
    if subtype not in LOSSY:
        assert len(audio.samples) == 8000
        np.testing.assert_allclose(audio.samples, noise(), atol=1e-4)
    else:
        assert 8000 <= len(audio.samples) < 8000 + BLOCK


@pytest.mark.parametrize(("container", "subtype"), KINDS)
@pytest.mark.parametrize("kept", [0.03, 0.3, 0.5, 0.9, 0.99])
def test_cut_files(reason, container, subtype, kept):
    data = encoded(container, subtype)
    found = reason(data[: int(len(data) * kept)])
    assert any(word in found for word in ("truncated", "damaged", "cannot be decoded"))


@pytest.mark.parametrize(("container", "subtype"), writable(REFUSED))
def test_what_cannot_be_judged_is_to_be_converted(reason, container, subtype):
    assert reason(encoded(container, subtype)).endswith(
        "if it is audio, convert it: ffmpeg -i OLD NEW.wav"
    )


@pytest.mark.parametrize("container", ["AU", "NIST", "AIFF", "CAF", "W64", "RF64", "WAV"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_both_byte_orders(read, container, endian):
    try:
        data = encoded(container, "PCM_16", endian=endian)
    except (soundfile.LibsndfileError, ValueError):
        pytest.skip("it has one only")
    np.testing.assert_allclose(read(data).samples, noise(), atol=1e-4)


# Where the size of the sound stands: a mark, bytes behind its beginning, the number's form.
SIZES = {
    "WAV": (b"data", 4, "<I"),
    "WAVEX": (b"data", 4, "<I"),
    "RF64": (b"ds64", 16, "<Q"),
    "W64": (b"data", 16, "<Q"),
    "AIFF": (b"SSND", 4, ">I"),
    "SVX": (b"BODY", 4, ">I"),
    "CAF": (b"data", 4, ">Q"),
    "AU": (b".snd", 8, ">I"),
}
OWN = {"W64": 24, "AIFF": 8, "CAF": 4}
"""What a size counts besides the sound."""


def resized(container, size):
    """A file of 16 000 bytes of sound that claims another size."""
    mark, behind, form = SIZES[container]
    data = encoded(container, "PCM_16")
    return with_number(data, data.index(mark) + behind, form, size + OWN.get(container, 0))


@pytest.mark.parametrize("container", SIZES)
@pytest.mark.parametrize("claimed", [160, 8000, 15000])
def test_a_header_that_claims_less_than_there_is(reason, container, claimed):
    found = reason(resized(container, claimed))
    assert found.startswith(f"its header claims {claimed} bytes of sound, but 16000 are there")


@pytest.mark.parametrize("container", SIZES)
@pytest.mark.parametrize("claimed", [16200, 32000, 10**9])
def test_a_header_that_claims_more_than_there_is(reason, container, claimed):
    assert reason(resized(container, claimed)) == (
        f"truncated: 16000 of {claimed} bytes of sound are there"
    )


@pytest.mark.parametrize(
    ("container", "size"),
    [
        *[("WAV", size) for size in (0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 44)],
        *[("WAVEX", size) for size in (0, 0xFFFFFFFF)],
        *[("RF64", size) for size in (0, 2**64 - 1)],
        *[("W64", size) for size in (0, 2**63 - 25)],
        *[("AIFF", size) for size in (0, 0x7F000000)],
        *[("CAF", size) for size in (0, 2**64 - 5)],
        *[("AU", size) for size in (0, 0xFFFFFFFF)],
        ("SVX", 0),
    ],
)
def test_streams_are_read_to_their_end(read, container, size):
    whole = read(encoded(container, "PCM_16")).sha
    assert read(resized(container, size)).sha == whole


@pytest.mark.parametrize("count", [b"4000", b"9999"])
def test_nist_that_claims_other_than_there_is(reason, count):
    data = encoded("NIST", "PCM_16").replace(b"_count -i 8000", b"_count -i " + count)
    assert ("truncated" in reason(data)) == (count == b"9999")


def test_compressed_nist_says_what_to_do(reason):
    data = encoded("NIST").replace(b"-s3 pcm\n", b"-s26 pcm,embedded-shorten-v2.00\n")
    assert "sph2pipe" in reason(data)


@pytest.mark.parametrize(("frames", "word"), [(4000, "claims 4000 samples"), (16000, "truncated")])
def test_aiff_that_contradicts_itself(reason, frames, word):
    data = encoded("AIFF", "PCM_16")
    assert word in reason(with_number(data, data.index(b"COMM") + 10, ">I", frames))


@pytest.mark.parametrize("channels", [0, 2, 65])
@pytest.mark.parametrize("container", ["WAV", "W64"])
def test_wav_that_contradicts_itself(reason, container, channels):
    data = encoded(container, "PCM_16")
    start = data.index(b"fmt ") + (24 if container == "W64" else 8)
    assert "contradicts itself" in reason(with_number(data, start + 2, "<H", channels))
    for align in (0, 1, 4):
        assert "contradicts itself" in reason(with_number(data, start + 12, "<H", align))


TAIL = {
    "ID3v1": b"TAG" + b"x" * 125,
    "ID3v2": b"ID3\3\0\0\0\0\x20\0" + b"y" * 4096,
    "APE": b"x" * 2000 + b"APETAGEX\xd0\7\0\0" + (2032).to_bytes(4, "little") + bytes(16),
    "Lyrics3": b"LYRICSBEGIN" + b"z" * 1989 + b"002000LYRICS200",
    "padding": bytes(5000),
    "junk": b"junk" * 100,
}


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "NIST", "FLAC", "MP3", "OGG", "SVX"])
@pytest.mark.parametrize("tail", TAIL)
def test_tags_and_padding_behind_the_sound_do_no_harm(read, container, tail):
    data = encoded(container)
    whole = read(data).sha
    assert read(data + TAIL[tail]).sha == whole


@pytest.mark.parametrize("container", ["WAV", "FLAC", "AIFF", "MP3"])
def test_a_tag_before_everything_does_no_harm(read, container):
    data = encoded(container)
    assert read(TAIL["ID3v2"] + data).sha == read(data).sha


def test_a_file_that_is_one_tag(reason):
    assert "within its ID3 tag" in reason(TAIL["ID3v2"][:2000])


def test_chunks_behind_the_sound_do_no_harm(read):
    w64 = encoded("W64", "PCM_16")
    chunk = b"junk" + bytes(12) + (3024).to_bytes(8, "little") + b"\x11\x22" * 1500
    assert read(w64 + chunk).sha == read(w64).sha
    wav = encoded("WAV", "PCM_16")
    odd = b"id3 \xb9\x0b\0\0" + b"x" * 3001
    assert read(wav + odd + b"\0" + odd).sha == read(wav + odd + odd).sha == read(wav).sha
    # A cut chunk counts as one if the size of the whole says so.
    cut = with_number(wav, 4, "<I", len(wav) - 8 + len(odd))
    assert read(cut + odd[:2000]).sha == read(wav).sha


@pytest.mark.parametrize("container", [name for name in ACCEPTED if name != "HTK"])
def test_two_files_in_one(reason, container):
    data = encoded(container)
    assert any(word in reason(data + data) for word in ("two", "several", "claims"))


def test_flac_that_claims_less_than_there_is(reason):
    data = encoded("FLAC")
    assert int.from_bytes(data[22:26], "big") == 8000
    for claimed in (4000, 4096, 7000):
        found = reason(with_number(data, 22, ">I", claimed))
        assert found.startswith(f"its header claims {claimed} samples of sound")


# --- Ogg ---


def pages(data):
    starts = [i for i in range(len(data)) if data.startswith(b"OggS", i)]
    return [data[i:j] for i, j in zip(starts, [*starts[1:], len(data)], strict=True)]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_pages(read, reason, subtype):
    data = encoded("OGG", subtype, noise(3))
    found = pages(data)
    assert len(found) > 3
    assert len(read(b"".join(found)).samples) == 48000
    assert "no page ends the Ogg stream" in reason(b"".join(found[:-1]))
    assert "page 3 of the Ogg stream is missing" in reason(b"".join(found[:3] + found[4:]))
    assert "several Ogg streams" in reason(data + encoded("OGG", subtype))
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    assert "damaged" in reason(bytes(flipped))


# --- MP3 ---


def mp3_frames():
    """The frames of a file of 1.9 s; the first one holds no sound, but their number."""
    data, frames = encoded("MP3", sound=noise(1.9)), []
    while data:
        size = mpeg._frame(data, 0).size
        frames.append(data[:size])
        data = data[size:]
    return frames


def test_mp3_frames(read, reason):
    frames = mp3_frames()
    whole = len(frames) - 1
    assert len(read(b"".join(frames)).samples) == 30400
    assert reason(b"".join(frames[:30])) == f"truncated: 29 of {whole} frames are there"
    assert "bytes of the last frame" in reason(b"".join(frames)[:-10])
    assert "damaged" in reason(b"".join([*frames[:30], b"x" * 700, *frames[30:]]))
    assert f"claims {whole} frames" in reason(b"".join(frames + frames[1:10]))


@pytest.mark.parametrize("kept", [55, 19])
def test_an_mp3_without_a_number_of_frames_may_end_after_any(read, kept):
    """A cut between two frames cannot be seen: such a file says nothing of its length.

    Nor is it read to the length that libsndfile guesses from the first frame, half of it here.
    """
    frames = mp3_frames()
    assert len(frames) == 56
    samples = read(b"".join(frames[1 : 1 + kept])).samples
    assert 0 <= kept * 576 - len(samples) < 576
