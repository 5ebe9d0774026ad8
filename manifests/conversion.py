"""Sound of the videos and coded files that publishers ship, as FLAC beside them, through ffmpeg.

It is done once and for all, not while reading: two versions of a decoder may differ in a sample,
and then no two members of a team would have the same audio hash.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, SerError, listing
from ..files import atomic_path
from ..progress import Progress
from .corpora import Corpus
from .known import recognise
from .paths import AUDIO_SUFFIXES, DEEPEST, audio_files, exists, is_audio, suffix_of
from .videos import SUFFIXES


@dataclass(frozen=True)
class Conversion:
    """What became of the videos below a folder.

    Attributes:
        written: how many FLACs.
        failed: by path below the folder, why a video gave none.
        notes: which videos were left out, and why.
    """

    written: int
    failed: Mapping[str, str]
    notes: Sequence[str]


def convert_videos(root: Path, progress: Progress) -> Conversion:
    """Write the sound of every video below `root` beside it, where there is none yet.

    Of a corpus that is known, only the videos that its scan takes; of several by one name, one.

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
    waiting, notes = _waiting(root, progress)
    failed: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda file: _convert(program, root / file), waiting)
        for done, (file, problem) in enumerate(zip(waiting, results, strict=True), 1):
            if problem:
                failed[file] = problem
            progress.show(f"{done} of {len(waiting)} videos converted", done, len(waiting))
    return Conversion(len(waiting) - len(failed), failed, notes)


def _waiting(root: Path, progress: Progress) -> tuple[list[str], list[str]]:
    """The videos without sound beside them, one of each name; and which were left out, and why."""
    files = audio_files(root, DEEPEST, AUDIO_SUFFIXES | SUFFIXES)
    heard = {_stem(file) for file in files if is_audio(file)}
    silent = [file for file in files if _stem(file) not in heard]
    known = _known(root, progress)
    taken = {suffix for corpus in known for suffix in corpus.videos} or SUFFIXES
    # A file without pictures comes before a video, of which it is perhaps the sound.
    silent.sort(key=lambda file: (suffix_of(file) != ".m4a", file))
    first: dict[str, str] = {}
    others: list[str] = []
    twins: list[str] = []
    for file in silent:
        if suffix_of(file) not in taken:
            others.append(file)
        elif (one := first.setdefault(_stem(file), file)) != file:
            twins.append(f"{file} (beside {one})")
    names = " and ".join(corpus.name for corpus in known)
    notes = [
        f"{len(left_out)} videos were left out, as {reason}: {listing(left_out)}"
        for left_out, reason in (
            (others, f"{names} is read from {', '.join(sorted(taken))} alone"),
            (twins, "another file by their name gives the sound"),
        )
        if left_out
    ]
    waiting = [file for file in first.values() if not exists((root / file).with_suffix(".flac"))]
    return waiting, notes


def _known(root: Path, progress: Progress) -> list[Corpus]:
    """The corpora that the folder is, and of which videos are read."""
    with suppress(InputError):  # it is none of them
        return [each.corpus for each in recognise(root, progress) if each.corpus.videos]
    return []


def _convert(program: str, video: Path) -> str | None:
    """Write the sound of a video, whole or not at all. Returns what went wrong."""
    quiet = ("-nostdin", "-v", "error", "-y")
    try:
        with atomic_path(video.with_suffix(".flac")) as part:
            sound = ("-i", str(video), "-vn", "-c:a", "flac", "-f", "flac", str(part))
            subprocess.run([program, *quiet, *sound], capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        said: str = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return said or f"ffmpeg ended with {error.returncode}"
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return None


def _stem(file: str) -> str:
    return file.rpartition(".")[0]
