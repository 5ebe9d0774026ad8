"""Sound of the videos and coded files that publishers ship, as FLAC beside them, through ffmpeg.

It is done once and for all, not while reading: two versions of a decoder may differ in a sample,
and then no two members of a team would have the same audio hash.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from ..errors import SerError, listing
from ..progress import Progress
from .corpora.corpus import Entry
from .paths import audio_files

SUFFIXES = frozenset((".avi", ".mp4", ".m4a", ".webm", ".mkv", ".mov"))
"""In lower case, of the files that ffmpeg is asked for."""

_DEPTH = 8


def problem_with_videos(entries: Sequence[Entry], root: Path) -> str | None:
    """Say what to do about utterances that are videos; None if there are none."""
    videos = [each.path for each in entries if PurePath(each.path).suffix.lower() in SUFFIXES]
    if not videos:
        return None
    return (
        f"{len(videos)} of {len(entries)} utterances are videos or coded sound, not to be read: "
        f"{listing(videos, 3)}. With ffmpeg, this writes a FLAC beside each: "
        f"ser corpora --convert {root}"
    )


def convert_videos(root: Path, progress: Progress) -> tuple[int, dict[str, str]]:
    """Write the sound of every video below `root` beside it, where it is not there yet.

    Returns:
        How many files were written, and by path below `root` why a video gave none.

    Raises:
        SerError: ffmpeg is not installed.
        InputError: a folder cannot be read.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise SerError(
            "converting needs ffmpeg, which is not installed: see https://ffmpeg.org, or "
            "apt install ffmpeg, brew install ffmpeg, winget install ffmpeg"
        )
    videos = audio_files(root, _DEPTH, SUFFIXES)
    waiting = [file for file in videos if not (root / file).with_suffix(".flac").exists()]
    failed: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda file: _convert(program, root / file), waiting)
        for done, (file, problem) in enumerate(zip(waiting, results, strict=True), 1):
            if problem:
                failed[file] = problem
            progress.show(f"{done} of {len(waiting)} videos converted", done, len(waiting))
    return len(waiting) - len(failed), failed


def _convert(program: str, video: Path) -> str | None:
    """Write the sound of a video; a file by its last name is whole. Returns what went wrong."""
    target = video.with_suffix(".flac")
    part = target.with_name(f".{target.name}.part")
    quiet = ("-nostdin", "-v", "error", "-y")
    command = [program, *quiet, "-i", str(video), "-vn", "-c:a", "flac", "-f", "flac", str(part)]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode == 0:
            part.replace(target)
            return None
        said = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return said or f"ffmpeg ended with {made.returncode}"
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    finally:
        part.unlink(missing_ok=True)
