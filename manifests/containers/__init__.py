"""What audio files promise: how much sound a header claims, and whether the file holds it.

libsndfile reads a file that was cut, or that its writer never finished, without a word. So each
container is looked at here first; those that are not in the table never reach libsndfile.

| container | what is compared with the file |
|---|---|
| WAV (also extensible and RIFX), RF64, BW64, W64, AIFF, AIFC, IFF (8SVX, 16SV), CAF | the size of the sound chunk |
| AU (SND, both byte orders), NIST SPHERE, HTK waveform | the size or the number of samples in the header |
| FLAC | the number of samples in the header, by decoding; frames have checksums |
| Ogg (Vorbis, Opus, FLAC) | page by page: checksums, sequence, and a last page that ends the stream |
| MP3 (also MP1, MP2) | frame by frame, and the number of frames in a Xing, Info or VBRI header where there is one |

Sizes that programs leave behind when they write into a pipe (0, or near 2^31 or 2^32) are no
promise: all that follows is sound, and a cut cannot be seen. Nor can it in an MP3 without such a
header that was cut between two frames. All other containers (VOC, PVF, IRCAM, MAT, ...) are refused:
most of them do not say how much sound they hold.

Sound that a header does *not* claim is as bad as sound that is missing, so what lies behind the sound
must be chunks, tags, padding, or no more than a few bytes.
"""  # noqa: E501 - tables have no line breaks

from __future__ import annotations

from ...errors import AudioError
from . import chunks, flac, headers, mpeg, ogg
from .content import Content
from .sound import Sound
from .tags import skip_tags

__all__ = ["Content", "Sound", "find_sound"]


def find_sound(data: Content) -> Sound:
    """Check that a whole file holds the sound that it promises, and say what is to be decoded.

    Raises:
        AudioError: not one of the containers above; cut or never finished; it holds more than its
            header says; or the header contradicts itself.
    """
    data = skip_tags(data)
    if layout := chunks.layout_of(data):
        return chunks.find(data, layout)
    if data.startswith(b"fLaC"):
        return flac.find(data)
    if data.startswith(b"OggS"):
        return ogg.find(data)
    if data[:4] in (b".snd", b"dns."):
        return headers.find_au(data)
    if data.startswith(b"NIST_1A"):
        return headers.find_nist(data)
    if headers.is_htk(data):
        return Sound(data, {"HTK"})
    if mpeg.is_mpeg(data):
        return mpeg.find(data)
    start = data[:12].decode("ascii", "backslashreplace")
    raise AudioError(
        f"cannot be decoded: Format not recognised; the file begins with {start!r}; if it "
        "is audio, convert it: ffmpeg -i OLD NEW.wav"
    )
