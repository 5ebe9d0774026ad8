"""Bytes that are read where they are looked at: the same as bytes in memory."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.manifests.containers.content import Content

places = st.integers(0, 40)


@given(st.binary(min_size=4, max_size=30), places, places, places, st.booleans())
def test_as_bytes(data, position, start, end, on_disk):
    content = Content.in_file(io.BytesIO(data), len(data)) if on_disk else Content.of(data)
    position = min(position, len(data) - 3)
    changed = content.replaced(position, b"abc").behind(b"xy")
    expected = b"xy" + data[:position] + b"abc" + data[position + 3 :]
    for ours, plain in ((content, data), (changed, expected)):
        assert len(ours) == len(plain)
        assert ours[start:end] == plain[start:end]
        assert ours.part(start, end)[:] == plain[start:end]
        assert ours.part(start)[2:4] == plain[start:][2:4]
        assert ours[len(plain) - 1] == plain[-1]
        assert ours.startswith(plain[start:end], start)
        assert ours.only_zeros(start, end) == (not any(plain[start:end]))
        assert ours.find(b"ab", start) == plain.find(b"ab", start)
        file = ours.open()
        assert file.seek(start) == file.tell() == start
        assert file.read(5) == plain[start : start + 5]
        assert file.seek(-2, io.SEEK_END) == len(plain) - 2
        assert file.read() == plain[-2:]


def test_what_lies_between_two_blocks(monkeypatch):
    monkeypatch.setattr("ser.manifests.containers.content._AT_ONCE", 8)
    content = Content.of(bytes(14) + b"needle" + bytes(3))
    assert [content.find(b"needle", 0, end) for end in (None, 20, 19)] == [14, 14, -1]
    assert [content.only_zeros(0, end) for end in (14, 15)] == [True, False]


def test_numbers():
    content = Content.of(bytes(8)).packed("<H", 3, 515)
    assert content[:] == b"\0\0\0\3\2\0\0\0"
    assert content.unpack(">HB", 3) == (770, 0)
    with pytest.raises(struct.error):
        content.unpack("<I", 5)
    with pytest.raises(IndexError):
        content[8]


def test_a_disk_that_fails_is_no_end():
    class Failing(io.BytesIO):
        def read(self, *_):
            raise OSError(5, "Input/output error")

    file = Content.in_file(Failing(), 100).open()
    assert file.read(10) == b""
    assert str(file.failure) == "[Errno 5] Input/output error"
