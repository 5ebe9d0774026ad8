"""FLAC: whether as many samples can be decoded as the header promises."""

from __future__ import annotations

from ...errors import AudioError
from .content import Content
from .sound import Sound

_COUNT = 21  # where the 36 bits of the number of samples begin, with the lower half of this byte


def find(data: Content) -> Sound:
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
    open_end = data.replaced(_COUNT, bytes([data[_COUNT] & 0xF0, 0, 0, 0, 0]))
    return Sound(open_end, {"FLAC"}, frames=frames, least=frames)


def check_rest(data: Content) -> None:
    """Look at a file that goes on behind its sound: tags and the like may follow.

    Raises:
        AudioError: it is another FLAC file.
    """
    second = data.find(b"fLaC", 4)
    if second > 0 and data[second + 5 : second + 8] == b"\0\0\x22":  # the size of a header
        raise AudioError("two FLAC files in one; take them apart")
