"""Utterances that are pieces of longer recordings, which a manifest does not have."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError, MissingPackageError, install_command

TOLERANCE = 0.02
"""Seconds by which lists of times round."""


def refuse_pieces(where: str, pieces: int, utterances: int, how: str) -> None:
    """Raise InputError where there are pieces; `how` says how they become files."""
    if pieces:
        raise InputError(
            f"{where}: {pieces} of {utterances} utterances are pieces of longer recordings, and a "
            f"manifest has a file for each utterance. Cut them first: {how}"
        )


def is_whole(start: float, end: float | None, length: float) -> bool:
    """Whether what lies between two times is all of a recording; seconds, None for its end."""
    return start <= TOLERANCE and (end is None or end >= length - TOLERANCE)


def length_of(file: Path) -> float:
    """Seconds of a sound file by its header; 0 for what cannot be read, which a build tells."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingPackageError(f"audio needs soundfile: {install_command('extract')}") from error
    try:
        return float(soundfile.info(str(file)).duration)
    except (RuntimeError, OSError, ValueError):
        return 0.0
