"""Whether a WAV or AIFF file holds all the sound that its header promises.

libsndfile reads a truncated file without a word, so the size of the sound chunk is compared with
the bytes that are there.
"""

from __future__ import annotations

import struct

from ..errors import AudioError

_STREAMED = 0x7FFFF000
"""Sizes from here on are placeholders of programs that write into a pipe and cannot go back."""

_TOLERANCE = 64
"""Bytes that may be missing: some programs count the header as sound. Cut copies lack more."""

_FORMS = {
    (b"RIFF", b"WAVE"): ("<I", b"data"),
    (b"RIFX", b"WAVE"): (">I", b"data"),
    (b"FORM", b"AIFF"): (">I", b"SSND"),
    (b"FORM", b"AIFC"): (">I", b"SSND"),
}


def complete(data: bytes) -> bytes:
    """Check that a file is whole; fill in the sizes of a WAV whose header was left at zero.

    Args:
        data: the whole file, of any format; those that are neither WAV nor AIFF come back as is.

    Raises:
        AudioError: the file is truncated.
    """
    layout, sound = _FORMS.get((data[:4], data[8:12]), ("", b""))
    if not layout:
        return data
    (form_size,) = struct.unpack_from(layout, data, 4)
    position = 12
    while position + 8 <= len(data):
        (size,) = struct.unpack_from(layout, data, position + 4)
        if data[position : position + 4] == sound:
            return _sound_chunk(data, layout, form_size, position, size)
        position += 8 + size + size % 2  # chunks are padded to even sizes
    if len(data) - 8 < form_size < _STREAMED:
        raise AudioError(f"truncated: {len(data)} of {form_size + 8} bytes are there, and no sound")
    return data


def _sound_chunk(data: bytes, layout: str, form_size: int, position: int, size: int) -> bytes:
    there = len(data) - position - 8
    if there + _TOLERANCE < size < _STREAMED:
        raise AudioError(f"truncated: {there} of {size} bytes of sound are there")
    if form_size == 0 and size == 0 and layout == "<I":
        # A program that streamed, or died, before it wrote the sizes. All that follows is sound.
        sizes = struct.pack("<I", len(data) - 8), struct.pack("<I", there)
        return data[:4] + sizes[0] + data[8 : position + 4] + sizes[1] + data[position + 8 :]
    return data
