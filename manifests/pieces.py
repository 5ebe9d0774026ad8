"""Utterances that are pieces of longer recordings, which a manifest does not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import AudioError, InputError, MissingPackageError, install_command
from .audio import read_audio

TOLERANCE = 0.02
"""Seconds by which lists of times round."""


@dataclass(frozen=True)
class Spans:
    """Where each utterance begins and ends in its recording, in seconds.

    Attributes:
        begins: 0 is the beginning of the recording.
        ends: None is its end.
        lengths: of the recordings; None: as the header of the sound says.
        how: pieces become files.
        one_channel: whether an utterance is one channel of its recording; empty: none is.
    """

    begins: Sequence[float]
    ends: Sequence[float | None]
    lengths: Sequence[float | None]
    how: str
    one_channel: Sequence[bool] = ()

    def refuse_pieces(self, where: str, files: Sequence[Path]) -> None:
        """Raise InputError where utterances are not all of their recordings, which lie there."""
        form_of = cache(_form)
        pieces = 0
        one_channel = self.one_channel or [False] * len(files)
        spans = zip(self.begins, self.ends, self.lengths, one_channel, files, strict=True)
        for begins, ends, length, one, file in spans:
            if length is None:
                asked = ends is not None and begins <= TOLERANCE
                length = form_of(file)[0] if asked else 0.0
            pieces += not is_whole(begins, ends, length) or (one and form_of(file)[1] > 1)
        refuse_pieces(where, pieces, len(files), self.how)


def refuse_pieces(where: str, pieces: int, utterances: int, how: str) -> None:
    """Raise InputError where there are pieces; `how` says how they become files."""
    if pieces:
        raise InputError(
            f"{where}: {pieces} of {utterances} utterances are pieces of longer recordings, or one "
            "channel of several, and a manifest has a file for each utterance. Cut them first: "
            f"{how}"
        )


def is_whole(start: float, end: float | None, length: float) -> bool:
    """Whether what lies between two times is all of a recording; seconds, None for its end."""
    return start <= TOLERANCE and (end is None or end >= length - TOLERANCE)


def _form(file: Path) -> tuple[float, int]:
    """Seconds and channels of a sound file by its header, or decoded where that does not say how
    long it is; zeros for what cannot be read, which a build tells."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingPackageError(f"audio needs soundfile: {install_command('extract')}") from error
    try:
        header = soundfile.info(str(file))
        return float(header.duration) or read_audio(file).duration, int(header.channels)
    except (RuntimeError, OSError, ValueError, AudioError):
        return 0.0, 0
