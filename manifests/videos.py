"""Utterances that are videos or coded sound, which are not decoded while a corpus is read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import listing
from .corpora.corpus import Entry
from .paths import suffix_of

SUFFIXES = frozenset((".avi", ".mp4", ".m4a", ".webm", ".mkv", ".mov"))
"""In lower case, of the files that ffmpeg is asked for."""


def problem_with_videos(entries: Sequence[Entry], root: Path) -> str | None:
    """Say what to do about utterances that are videos; None if there are none."""
    videos = [each.path for each in entries if suffix_of(each.path) in SUFFIXES]
    if not videos:
        return None
    return (
        f"{len(videos)} of {len(entries)} utterances are videos or coded sound, not to be read: "
        f"{listing(videos, 3)}. With ffmpeg, this writes a FLAC beside each: "
        f"ser corpora --convert {shlex.quote(str(root))}"
    )
