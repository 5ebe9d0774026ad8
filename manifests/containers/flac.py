"""FLAC: whether as many samples can be decoded as the header promises."""

from __future__ import annotations

import re

from ...errors import AudioError
from .sound import Sound

_BEGINNING = re.compile(rb"fLaC[\0\x80]\0\0\x22")

_COUNT = 21
"""Where the 36 bits of the number of samples begin, with the lower half of this byte."""


def find(data: bytes) -> Sound:
    """Read the number of samples, and take it out of the header.

    So libsndfile decodes all that is there, and not as much as it was told.

    Raises:
        AudioError: the header is cut, or does not say the number of samples.
    """
    if len(data) < 42 or data[4] & 0x7F != 0:
        raise AudioError("cannot be decoded: a FLAC file without a whole header")
    frames = int.from_bytes(data[_COUNT : _COUNT + 5], "big") & 0xFFFFFFFFF
    if not frames:
        raise AudioError(
            "a streamed FLAC file that does not say its length; write it anew "
            "(ffmpeg -i OLD.flac NEW.flac)"
        )
    if _BEGINNING.search(data, 4):
        raise AudioError("two FLAC files in one; take them apart")
    open_end = data[:_COUNT] + bytes([data[_COUNT] & 0xF0, 0, 0, 0, 0]) + data[_COUNT + 5 :]
    return Sound(open_end, {"FLAC"}, frames=frames, least=frames)
