"""Files made of chunks, each with a name and a size: WAV, RF64, W64, AIFF, IFF, CAF."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Set
from dataclasses import dataclass

from ...errors import AudioError
from .content import Content
from .sound import MOST_PIECES, TOLERANCE, Sound, check_size, too_many_pieces, too_much
from .tags import harmless


@dataclass(frozen=True)
class Layout:
    """How a container writes its chunks."""

    formats: Set[str]  # what libsndfile calls the container
    size: str = "<I"  # of a chunk, as `struct` has it
    sound: bytes = b"data"  # name of the chunk with the sound
    first: int = 12  # byte at which the first chunk begins
    name: int = 4  # bytes of a chunk's name; the first four are text
    counted: int = 0  # bytes that a size counts before the content: name and size in W64
    inner: int = 0  # bytes of the sound chunk that come before the sound
    align: int = 2  # chunks begin at multiples of this
    form: bool = True  # whether bytes 4 to 8 hold the size of all that follows them
    bounded: bool = True  # whether libsndfile stops where the sound chunk ends


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int  # of its content
    size: int  # of its content, as claimed


_WAV = Layout({"WAV", "WAVEX"})
_AIFF = Layout({"AIFF"}, size=">I", sound=b"SSND", inner=8)
_IFF = Layout({"SVX"}, size=">I", sound=b"BODY", bounded=False)
_LAYOUTS = {
    **dict.fromkeys(((b"RIFF", b"WAVE"), (b"RF64", b"WAVE"), (b"BW64", b"WAVE")), _WAV),
    (b"RIFX", b"WAVE"): Layout({"WAV", "WAVEX"}, size=">I"),
    **dict.fromkeys(((b"FORM", b"AIFF"), (b"FORM", b"AIFC")), _AIFF),
    **dict.fromkeys(((b"FORM", b"8SVX"), (b"FORM", b"16SV")), _IFF),
}
_W64 = Layout({"W64"}, "<Q", first=40, name=16, counted=24, align=8, form=False, bounded=False)
_CAF = Layout({"CAF"}, ">Q", first=8, inner=4, align=1, form=False)
_FORMS = (*(form for form, _ in _LAYOUTS), b"riff", b"caff")

_LONG_FORMS = (b"RF64", b"BW64")
_LONG = 0xFFFFFFFF  # the size of a chunk of RF64 whose true one stands in the chunk `ds64`


def layout_of(data: Content) -> Layout | None:
    """The layout of a file, by its first bytes; None if it is not made of chunks."""
    if data.startswith(b"riff\x2e\x91\xcf\x11"):
        return _W64
    if data.startswith(b"caff"):
        return _CAF
    return _LAYOUTS.get((data[:4], data[8:12]))


def find(data: Content, layout: Layout) -> Sound:
    """Find the sound chunk and compare it with the file.

    Raises:
        AudioError: cut, no sound chunk, a header that contradicts itself, or more sound than it
            says.
    """
    frames = long_size = None
    for chunk in _chunks(data, layout, layout.first):
        content = data[chunk.start : chunk.start + min(chunk.size, 40)]
        if chunk.name.startswith(layout.sound):
            size = long_size if long_size is not None and chunk.size == _LONG else chunk.size
            return _sound(data, layout, _Chunk(chunk.name, chunk.start, size), frames)
        if chunk.name.startswith(b"fmt "):
            _check_format(content, layout.size[0])
        elif chunk.name == b"COMM":
            frames = _aiff_frames(content)
        elif chunk.name == b"ds64" and len(content) >= 16:
            (long_size,) = struct.unpack_from("<Q", content, 8)
    if layout.form and len(data) >= 8:
        (size,) = data.unpack(layout.size, 4)
        if size > len(data) - 8 and not _endless(layout, size):
            raise AudioError(f"truncated: {len(data)} of {size + 8} bytes are there, and no sound")
    raise AudioError(f"truncated, or damaged: there is no chunk {layout.sound.decode()} with sound")


def _chunks(data: Content, layout: Layout, position: int) -> Iterator[_Chunk]:
    """All chunks from a byte on whose name and size are there, until something else comes."""
    for _ in range(MOST_PIECES):
        chunk = _chunk(data, layout, position)
        if chunk is None:
            return
        yield chunk
        position = chunk.start + chunk.size
        aligned = position + -position % layout.align
        # Some programs forget the padding.
        position = position if _chunk(data, layout, aligned) is None else aligned
    raise too_many_pieces()


def _chunk(data: Content, layout: Layout, position: int) -> _Chunk | None:
    name = data[position : position + layout.name]
    start = position + layout.name + struct.calcsize(layout.size)
    if start > len(data) or not all(32 <= letter < 127 for letter in name[:4]):
        return None
    (size,) = data.unpack(layout.size, position + layout.name)
    if 0 < size < layout.counted:
        return None
    return _Chunk(name, start, max(size - layout.counted, 0))


def _endless(layout: Layout, size: int) -> bool:
    """Whether a size was left behind by a program that could not go back to fill it in."""
    if size > _LONG or struct.calcsize(layout.size) == 8:
        return size + layout.counted >= 1 << 62
    return 0x7F000000 <= size <= 0x80001000 or size >= 0xFFFFF000


def _sound(data: Content, layout: Layout, chunk: _Chunk, frames: int | None) -> Sound:
    actual, claimed = len(data) - chunk.start, chunk.size
    followed = _chunks_follow(data, layout, chunk.start + claimed)
    if _endless(layout, claimed) or (claimed <= layout.inner < actual and not followed):
        claimed, frames = actual, None
    elif claimed > actual:
        check_size(claimed - layout.inner, actual - layout.inner)
        claimed = actual
    elif not followed:
        raise too_much(f"{claimed - layout.inner} bytes", f"{actual - layout.inner} are there")
    if claimed != chunk.size or data[:4] in _LONG_FORMS:
        data = _with_size(data, layout, chunk, claimed)
    if not layout.bounded:
        data = data.part(0, chunk.start + claimed)
    least = max((frames or 0) - TOLERANCE, 0)
    return Sound(data, layout.formats, claimed - layout.inner, frames, least)


def _chunks_follow(data: Content, layout: Layout, position: int) -> bool:
    """Whether all from a byte on is chunks without sound, or nothing that matters."""
    if harmless(data, position):
        return True
    (form,) = data.unpack(layout.size, 4) if layout.form else (0,)
    for start in (position + -position % layout.align, position):
        end = start
        for chunk in _chunks(data, layout, start):
            if chunk.name.startswith((layout.sound, *_FORMS)):
                break
            end = chunk.start + chunk.size
            # A cut chunk is one only if the file knew it when it was whole.
            if harmless(data, end) and (end <= len(data) or 0 <= form + 8 - end <= 1):
                return True
    return False


def _with_size(data: Content, layout: Layout, chunk: _Chunk, size: int) -> Content:
    """The same with a size of the sound chunk that is true; RF64 becomes RIFF."""
    before = chunk.start - struct.calcsize(layout.size)
    filled = data.packed(layout.size, before, size + layout.counted)
    if layout.form:
        filled = filled.packed(layout.size, 4, len(data) - 8)
    if data[:4] in _LONG_FORMS:
        filled = filled.replaced(0, b"RIFF")
        if (sizes := filled.find(b"ds64", 0, chunk.start)) >= 0:
            filled = filled.replaced(sizes, b"JUNK")
    return filled


def _check_format(content: bytes, order: str) -> None:
    """Compare the numbers in the chunk `fmt ` of WAV and W64 with each other."""
    if len(content) < 16:
        return
    tag, channels, _, _, align, bits = struct.unpack_from(f"{order}HHIIHH", content)
    if tag in (6, 7):  # A-law and u-law; some say 16 bits, those that are heard
        bits = 8
    elif tag not in (1, 3, 0xFFFE):  # integers, floats, and what says further on which they are
        return
    if align != channels * ((bits + 7) // 8):
        raise AudioError(
            f"its header contradicts itself: {bits} bits in {channels} channels are not {align} "
            "bytes"
        )


_PLAIN_AIFF = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64"}


def _aiff_frames(content: bytes) -> int | None:
    """The samples of each channel that the chunk `COMM` of AIFF promises; None if it does not."""
    compression = content[18:22]  # only AIFC has it
    if len(content) < 18 or (compression and compression not in _PLAIN_AIFF):
        return None
    (frames,) = struct.unpack_from(">I", content, 2)
    return int(frames) or None
