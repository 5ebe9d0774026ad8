"""What may lie before and behind the sound of any file: tags, padding, a little junk."""

from __future__ import annotations

import re
import struct

from ...errors import AudioError
from .content import Content

JUNK = 512
"""Bytes of anything that may follow the sound: 16 ms at 16 kHz and 16 bits."""

_MOST_TAGS = 100


def skip_tags(data: Content) -> Content:
    """Leave out the ID3v2 tags that a file begins with.

    Raises:
        AudioError: the file ends within a tag.
    """
    start = _past_id3v2(data, 0)
    if start >= len(data):
        raise AudioError("truncated: the file ends within its ID3 tag, and holds no sound")
    return data.part(start)


def harmless(data: Content, start: int) -> bool:
    """Whether all from `start` on is tags, zeros, or too little to matter."""
    start = _past_id3v2(data, start)
    end = len(data)
    for _ in range(_MOST_TAGS):
        size = _last_tag(data, end) if end > start else 0
        end -= size
        if not size:
            break
    return end - start <= JUNK or data.only_zeros(start, end)


def _past_id3v2(data: Content, start: int) -> int:
    for _ in range(_MOST_TAGS):
        header = data[start : start + 10]
        if len(header) < 10 or not header.startswith(b"ID3") or max(header[6:]) > 127:
            break
        size = 0
        for byte in header[6:]:
            size = size << 7 | byte
        start += 10 + size + (10 if header[5] & 0x10 else 0)
    return start


def _last_tag(data: Content, end: int) -> int:
    """Length of the tag that ends at `end`: ID3v1, APE or Lyrics3; 0 if there is none."""
    if data[max(end - 128, 0) : end].startswith(b"TAG"):
        return 128
    footer = data[max(end - 32, 0) : end]
    if footer.startswith(b"APETAGEX") and len(footer) == 32:
        size, _, flags = struct.unpack_from("<III", footer, 12)
        return int(size) + (32 if flags & 0x80000000 else 0)
    if found := re.fullmatch(rb"(\d{6})LYRICS200", data[max(end - 15, 0) : end]):
        return int(found[1]) + 15
    return 0
