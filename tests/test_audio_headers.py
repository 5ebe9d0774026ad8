"""Whatever the numbers in a header are, all of the sound is read, or the file is bad."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser.errors import AudioError
from ser.manifests import read_audio
from ser.manifests.containers.sound import TOLERANCE
from ser.manifests.containers.tags import JUNK
from ser.tests.audio_files import encoded, with_number

fresh = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
SIZE = 16000
"""Bytes of sound in the files of this page: half a second, 16 bits."""

numbers = st.one_of(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2 * SIZE),
    st.sampled_from([2**31 - 1, 2**31, 2**32 - 1, 2**32 - 44, SIZE, SIZE + 36, SIZE + 44]),
)


@pytest.fixture
def frames(tmp_path):
    """The number of samples that are read of a file; None where it is refused."""

    def count(data):
        (tmp_path / "x.wav").write_bytes(data)
        try:
            audio = read_audio(tmp_path / "x.wav")
        except AudioError:
            return None
        return len(audio.samples)

    return count


def whole(found):
    """Nothing is missing, but for what is tolerated at the end."""
    return found is None or found * 2 >= SIZE - JUNK


@fresh
@given(form=numbers, size=numbers)
def test_sizes_of_wav(frames, form, size):
    data = with_number(encoded("WAV", "PCM_16"), 4, "<I", form)
    assert whole(frames(with_number(data, 40, "<I", size)))


@fresh
@given(
    tag=st.sampled_from([0, 1, 2, 3, 6, 7, 17, 49, 85, 0xFFFE]) | st.integers(0, 2**16 - 1),
    channels=st.integers(0, 70),
    rate=st.sampled_from([0, 16, 4000, 16000]) | st.integers(0, 2**32 - 1),
    align=st.integers(0, 140),
    bits=st.integers(0, 64),
)
def test_formats_of_wav(frames, tag, channels, rate, align, bits):
    """What is read has as many samples as its bytes make."""
    data = encoded("WAV", "PCM_16")
    changed = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align, bits)
    found = frames(data[:20] + changed + data[36:])
    if found is not None and tag in (1, 3, 6, 7):
        assert 4000 <= rate <= 768_000
        assert 0 < channels <= 64
        assert align == channels * (1 if tag > 3 else (bits + 7) // 8)
        assert abs(found * align - SIZE) <= align


@fresh
@given(rate=st.integers(4000, 768_000), channels=st.integers(1, 64), bits=st.sampled_from([16, 32]))
def test_formats_that_fit(frames, rate, channels, bits):
    align = channels * bits // 8
    data = encoded("WAV", "PCM_16")
    changed = struct.pack("<HHIIHH", 1, channels, rate, rate * align % 2**32, align, bits)
    found = frames(data[:20] + changed + data[36:])
    assert found == SIZE // align or SIZE // align < rate * 0.1


@fresh
@given(start=numbers, size=numbers)
def test_headers_of_au(frames, start, size):
    data = with_number(encoded("AU", "PCM_16"), 4, ">II", start, size)
    found = frames(data)
    assert found is None or (24 + SIZE - start) - JUNK <= found * 2 <= 24 + SIZE - start


@fresh
@given(
    kept=st.integers(0, 1 << 20),
    kind=st.sampled_from(
        ["WAV", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "SVX", "FLAC", "OGG", "HTK", "WAVEX"]
    ),
)
def test_cuts_anywhere(frames, kept, kind):
    data = encoded(kind)
    kept %= len(data)
    found = frames(data[:kept])
    assert found is None or found * 2 >= SIZE - TOLERANCE


@fresh
@given(
    position=st.integers(0, 160),
    value=st.binary(min_size=1, max_size=8),
    kind=st.sampled_from(["RF64", "W64", "AIFF", "CAF", "SVX", "NIST", "WAVEX"]),
)
def test_any_bytes_over_any_header(frames, position, value, kind):
    data = encoded(kind, "PCM_16")
    frames(data[:position] + value + data[position + len(value) :])
