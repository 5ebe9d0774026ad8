"""Files with one header and then nothing but sound: AU, NIST SPHERE, HTK."""

from __future__ import annotations

import re

from ...errors import AudioError
from .content import Content
from .sound import Sound, check_size, too_much
from .tags import harmless


def find_au(data: Content) -> Sound:
    """Look at a file of Sun and NeXT, in either byte order.

    Raises:
        AudioError: cut, or it holds more than its header says.
    """
    if len(data) < 24:
        raise AudioError("truncated: the file ends within its header")
    order = ">" if data.startswith(b".snd") else "<"
    start, size = data.unpack(f"{order}II", 4)
    actual = len(data) - start
    if start < 24:
        raise AudioError(f"its header says that the sound begins at byte {start}, within itself")
    if size in (0, 0xFFFFFFFF):  # written into a pipe
        open_end = data.packed(f"{order}I", 8, max(actual, 0))
        return Sound(open_end, {"AU"}, size=max(actual, 0))
    return _bounded(data, start, size, "AU")


_FIELD = re.compile(rb"^(channel_count|sample_count|sample_n_bytes) -i (\d{1,18})\s*$", re.M)


_MOST_HEADER = 1 << 20


def find_nist(data: Content) -> Sound:
    """Look at a NIST SPHERE file.

    Raises:
        AudioError: cut, it holds more than its header says, or that does not say it.
    """
    length = data[8:16].strip()
    start = int(length) if length.isdigit() else 0
    if not 16 < start <= len(data):
        raise AudioError("truncated: the file ends within its header")
    header = data[: min(start, _MOST_HEADER)]
    fields = {name.decode(): int(value) for name, value in _FIELD.findall(header)}
    if b"shorten" in header or b"wavpack" in header:
        raise AudioError("a compressed NIST SPHERE file; convert it to WAV with sph2pipe")
    if "sample_count" not in fields:
        raise AudioError("its NIST header does not say how many samples it holds")
    width = fields.get("sample_n_bytes", 1)  # u-law and A-law need not say it
    size = fields["sample_count"] * width * fields.get("channel_count", 1)
    return _bounded(data, start, size, "NIST")


def is_htk(data: Content) -> bool:
    """Whether this is an HTK waveform; its header counts the samples, and all are there."""
    if len(data) < 12:
        return False
    samples, _, size, kind = data.unpack(">IIHH", 0)
    return bool((size, kind) == (2, 0) and len(data) == 12 + 2 * samples)


def _bounded(data: Content, start: int, size: int, form: str) -> Sound:
    check_size(size, len(data) - start)
    end = start + size
    if not harmless(data, end):
        raise too_much(f"{size} bytes", f"{len(data) - start} are there")
    # Some codecs of libsndfile would read on to the end of the file.
    return Sound(data.part(0, end), {form}, size=min(size, len(data) - start))
