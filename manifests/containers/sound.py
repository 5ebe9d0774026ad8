"""The sound of a file as its container describes it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from ...errors import AudioError
from .content import Content

TOLERANCE = 64
"""Bytes that may be missing: some programs count the header as sound. Cut copies lack more.

But never more than half a per cent, since strong codecs put much sound into few bytes.
"""

MOST_PIECES = 1 << 20
"""Chunks, pages or frames of a file that are looked at; an hour of sound has some 180 000."""


@dataclass(frozen=True)
class Sound:
    """What libsndfile is to decode, and what should come out."""

    data: Content  # a whole file, though its header may be corrected
    formats: Set[str]  # names that libsndfile may give to it: it must be what was looked at here
    size: int | None = None  # bytes of sound, where the container counts in bytes
    frames: int | None = None  # samples of each channel that the header promises, where it does
    least: int = 0  # the fewest of them that may come out


def check_size(claimed: int, actual: int) -> None:
    """Compare the bytes of sound that a header claims with those that follow it.

    Raises:
        AudioError: there are fewer.
    """
    if actual + min(TOLERANCE, claimed // 200) < claimed:
        raise AudioError(f"truncated: {max(actual, 0)} of {claimed} bytes of sound are there")


def too_much(claimed: object, but: object) -> AudioError:
    """The error for a file that goes on where its sound should have ended."""
    return AudioError(
        f"its header claims {claimed} of sound, but {but}: a recording that was not finished, or "
        "two files in one; write it anew"
    )


def too_many_pieces() -> AudioError:
    """The error for a file that nobody would write."""
    return AudioError(f"it consists of more than {MOST_PIECES} pieces; write it anew")
