"""Ogg: whether all pages of the stream are there, down to the one that ends it (RFC 3533)."""

from __future__ import annotations

import struct
import zlib

from ...errors import AudioError
from .content import Content
from .sound import MOST_PIECES, Sound, too_many_pieces
from .tags import harmless

_LAST = 4  # flag of the page that ends a stream

_NO_TIME = 0xFFFFFFFFFFFFFFFF
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def find(data: Content) -> Sound:
    """Walk through the pages.

    Raises:
        AudioError: the stream does not end, pages are damaged or missing, or there are several
            streams.
    """
    position = number = time = 0
    serial = None
    ended = False
    while len(header := data[position : position + 27]) == 27 and header.startswith(b"OggS"):
        flags, granule, stream, sequence = struct.unpack_from("<xBQII", header, 4)
        content = position + 27 + header[26]
        end = content + sum(data[position + 27 : content])
        if end > len(data):
            break
        if ended or serial not in (None, stream):
            raise AudioError("several Ogg streams in one file; write it anew with one of them")
        if sequence != number or not _intact(data[position:end]):
            raise AudioError(f"damaged: page {number} of the Ogg stream is missing, or not whole")
        if granule != _NO_TIME:
            if granule < time:
                raise AudioError(f"damaged: time runs back at page {number} of the Ogg stream")
            time = granule
        serial, number, ended, position = stream, number + 1, bool(flags & _LAST), end
        if number > MOST_PIECES:
            raise too_many_pieces()
    if not ended:
        raise AudioError(
            "truncated: no page ends the Ogg stream; if nothing is missing, write it anew "
            "(ffmpeg -i OLD.ogg -c copy NEW.ogg)"
        )
    if not harmless(data, position):
        raise AudioError(f"{len(data) - position} bytes follow the end of the Ogg stream")
    return Sound(data, {"OGG"})


def _intact(page: bytes) -> bool:
    """Whether a page has its checksum: a CRC-32, from zero, with the bits in the other order."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRROR)
    crc = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_MIRROR) == page[22:26]
