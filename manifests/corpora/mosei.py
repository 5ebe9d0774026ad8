"""CMU-MOSEI: labels in `Raw/Labels/*.csv`, one row for every annotator of every clip.

The emotion of a clip is the one of six that its annotators find strongest on the mean, `neutral`
where they find none, and none where two are as strong: such clips are left out. The publisher's
audio is one recording a video; this reads it cut into clips, `<video>_<clip>.wav`, by the times of
`Raw/Transcript/Segmented`. Who speaks is not known; a video is mostly one speaker, so the protocol
`speaker` keeps videos apart.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ...errors import InputError, listing
from ..paths import audio_files, stored_path
from .corpus import NOT_KNOWN, Corpus, Entry, Options, Scan
from .label_files import read_rows

_EMOTIONS = ("happiness", "anger", "sadness", "fear", "disgust", "surprise")
_COLUMNS = ("Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in _EMOTIONS))
_CLIP = re.compile(r"(.+)_(\d+)")


def scan(root: Path, options: Options) -> Scan:
    """Find the clips whose audio is there, and what their annotators say of them."""
    entries: list[Entry] = []
    notes: list[str] = []
    ties = 0
    strengths = _strengths(root, notes)
    for file in audio_files(root, 6) if strengths else ():
        name = _CLIP.fullmatch(file.rpartition("/")[2].rpartition(".")[0])
        found = strengths.get((name[1], name[2])) if name else None
        if name is None or found is None:
            continue
        best = [emotion for emotion, strength in found.items() if strength == max(found.values())]
        if max(found.values()) <= 0:
            best = ["neutral"]
        if len(best) > 1:
            ties += 1
            continue
        entries.append(Entry(name[0], stored_path(file), best[0], extra={"video": name[1]}))
    if ties:
        notes.append(f"{ties} clips were left out, of which two emotions are as strong")
    return Scan(entries, notes=notes)


def _strengths(root: Path, notes: list[str]) -> dict[tuple[str, str], dict[str, float]]:
    """By video and clip, the strength of each emotion, summed over annotators.

    A table of something else is told in the notes.
    """
    strengths: dict[tuple[str, str], dict[str, float]] = defaultdict(
        lambda: dict.fromkeys(_EMOTIONS, 0.0)
    )
    for file in _tables(root):
        try:
            rows = read_rows(file, _COLUMNS)
        except InputError as error:
            notes.append(f"a table was not read: {error}")
            continue
        wrong: list[int] = []
        for line, row in rows:
            said = [_strength(row[f"Answer.{emotion}"]) for emotion in _EMOTIONS]
            if not all(map(math.isfinite, said)):
                wrong.append(line)
                continue
            clip = strengths[row["Input.VIDEO_ID"], row["Input.CLIP"]]
            for emotion, strength in zip(_EMOTIONS, said, strict=True):
                clip[emotion] += strength
        if wrong:
            lines = listing(map(str, wrong))
            notes.append(f"{file.name}: what is no number was left out, in line {lines}")
    return dict(strengths)


def _strength(cell: str) -> float:
    """What an annotator says of one emotion; 0 for a blank, NaN for what is no number."""
    try:
        return float(cell or 0)
    except ValueError:
        return math.nan


def _tables(root: Path) -> Iterator[Path]:
    for file in audio_files(root, 4, {".csv"}):
        if (root / file).resolve().parent.name == "Labels":
            yield root / file


MOSEI = Corpus(
    name="mosei",
    language="en",
    scan=scan,
    title="CMU Multimodal Opinion Sentiment and Emotion Intensity (CMU-MOSEI)",
    licence=NOT_KNOWN,
    url="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
    layout="Raw/Labels/*.csv and the clips, cut, as <video>_<clip>.wav",
    group="video",
    size=23453,
    speakers=False,
)
