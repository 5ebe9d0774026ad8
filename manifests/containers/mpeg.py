"""MPEG audio (MP3, also layers I and II): frame by frame to the end (ISO 11172-3, 13818-3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...errors import AudioError
from .content import Content
from .sound import MOST_PIECES, Sound, too_many_pieces, too_much
from .tags import harmless

_RATES = (44100, 48000, 32000)
_DIVISOR = {3: 1, 2: 2, 0: 4}  # of the rate, by the bits of the version: MPEG 1, 2, 2.5
_LAYER = {3: 1, 2: 2, 1: 3}
_KILOBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_PADDING = 2 * 4095
"""Most samples that an encoder can say it added, at both ends together; decoders leave them out."""


@dataclass(frozen=True)
class _Frame:
    size: int  # bytes
    samples: int  # of each channel
    kind: tuple[int, int, int, bool]  # version, layer, rate, mono: the same throughout a file

    @property
    def layer(self) -> int:
        return self.kind[1]

    @property
    def side(self) -> int:
        """Bytes of side information in a frame of layer III, after its header."""
        version, _, _, mono = self.kind
        return (17 if mono else 32) if version == 3 else (9 if mono else 17)


def is_mpeg(data: Content) -> bool:
    """Whether a file begins with a frame, and what follows that frame is one, too, or the end."""
    first = _frame(data, 0)
    if first is None:
        return False
    return first.size + 4 > len(data) or _frame(data, first.size) is not None


def find(data: Content) -> Sound:
    """Count the frames.

    Raises:
        AudioError: the last frame is cut, something else lies between frames, or there are more or
            fewer frames than the file says.
    """
    first = _frame(data, 0)
    assert first is not None
    position = count = 0
    sizes = set()
    while frame := _frame(data, position):
        if frame.kind != first.kind:
            raise AudioError("its kind of MPEG audio changes: two files in one; write it anew")
        if position + frame.size > len(data):
            rest = len(data) - position
            raise AudioError(f"truncated: {rest} of {frame.size} bytes of the last frame are there")
        position += frame.size
        sizes.add(frame.size)
        count += 1
        if count > MOST_PIECES:
            raise too_many_pieces()
    if not harmless(data, position):
        raise AudioError(f"damaged: from byte {position} on it is no MPEG audio; write it anew")
    promised = _promised(data[: first.size], first)
    if promised is not None:
        count -= 1  # the frame that says it has no sound
        if count < promised - 1:
            raise AudioError(f"truncated: {count} of {promised} frames are there")
        if count > promised + 1:
            raise too_much(f"{promised} frames", f"{count} are there")
    elif max(sizes) - min(sizes) > 1 and first.layer == 3:
        # libsndfile would guess how many there are, by the size of the first, and stop there.
        data = _counted(data, first, count)
    return Sound(data, {"MP3"}, least=(count - 2) * first.samples - _PADDING)


def _frame(data: Content | bytes, position: int) -> _Frame | None:
    """The frame that begins at a byte; None if none does."""
    start = data[position : position + 4]
    if len(start) < 4 or start[0] != 0xFF or start[1] < 0xE0:
        return None
    header = int.from_bytes(start, "big")
    version, layer = header >> 19 & 3, _LAYER.get(header >> 17 & 3, 0)
    bits, rate, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
    if version not in _DIVISOR or not layer or bits in (0, 15) or rate == 3:
        return None
    old = version == 3
    hertz = _RATES[rate] // _DIVISOR[version]
    table = _KILOBITS[1 if old else 2, layer if old or layer == 1 else 2]
    kilobits = table[bits - 1]
    samples = 384 if layer == 1 else 1152 if old or layer == 2 else 576
    unit = 4 if layer == 1 else 1  # bytes by which padding grows a frame
    size = (samples // 8 * kilobits * 1000 // unit // hertz + padding) * unit
    return _Frame(size, samples, (version, layer, hertz, header >> 6 & 3 == 3))


def _promised(frame: bytes, kind: _Frame) -> int | None:
    """The number of frames that the first one says follow it; None if it does not."""
    for start in (4 + kind.side, 6 + kind.side):  # two bytes of checksum may come first
        if frame[start : start + 4] in (b"Xing", b"Info") and start + 12 <= len(frame):
            flags, frames = struct.unpack_from(">II", frame, start + 4)
            return int(frames) if flags & 1 and frames else None
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return int(struct.unpack_from(">I", frame, 50)[0])
    return None


def _counted(data: Content, first: _Frame, count: int) -> Content:
    """A copy that begins with a frame without sound that says how many follow."""
    # As the first frame, but without checksum or padding, and at a rate that leaves enough room.
    header = bytes([data[0], data[1] | 1, 0x90 | data[2] & 0x0C, data[3]])
    frame = _frame(header, 0)
    assert frame is not None
    content = header + bytes(first.side) + b"Xing" + struct.pack(">II", 1, count)
    return data.behind(content.ljust(frame.size, b"\0"))
