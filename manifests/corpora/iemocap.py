"""IEMOCAP: labels in `SessionN/dialog/EmoEvaluation`, audio in `SessionN/sentences/wav`."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from ...errors import InputError
from ...files import read_regular
from ..paths import stored_path
from .corpus import Corpus, Entry, Options, Scan

MOST_BYTES = 16 << 20
"""A file of IEMOCAP's labels has less than 100 KB."""

_SESSION = re.compile(r"Session\d+")
_TURN = re.compile(r"(Ses\d\d)[FM]_\w+_([FM])\w{3}")
_EMOTIONS = {
    "neu": "neutral",
    "hap": "happiness",
    "exc": "happiness",
    "ang": "anger",
    "sad": "sadness",
}


def scan(root: Path, options: Options) -> Scan:
    """Find the turns of the four classes.

    The speaker is the session and the letter of the turn's last field (`_F000`). The letter after
    `Ses01` says which of the two wore the markers, and is not the speaker.
    """
    if _SESSION.fullmatch(root.resolve().name) and (root / "sentences").is_dir():
        raise InputError(
            f"{root} is one session of IEMOCAP; give the folder that holds Session1 to Session5"
        )
    entries: list[Entry] = []
    for session in _session_folders(root):
        labels = root / session / "dialog" / "EmoEvaluation"
        # Only the folder itself: its subfolders hold the single annotators' opinions.
        for file in sorted(labels.glob("*.txt")) if labels.is_dir() else []:
            if not file.name.startswith("."):
                entries += _turns(root, session, file)
    return Scan(entries)


def _session_folders(root: Path) -> list[PurePath]:
    """Find `SessionN` folders in `root`, else one level below; relative to `root`."""
    for pattern in ("Session*", "*/Session*"):
        folders = [f for f in root.glob(pattern) if _SESSION.fullmatch(f.name) and f.is_dir()]
        # A link beside the folder that it leads to is no other session: the last of them counts.
        folders.sort(key=lambda folder: (not folder.is_symlink(), folder))
        if sessions := {os.path.realpath(folder): folder for folder in folders}:
            return sorted(PurePath(folder.relative_to(root)) for folder in sessions.values())
    return []


def _turns(root: Path, session: PurePath, labels: Path) -> list[Entry]:
    """Read one evaluation file; turns outside the four classes are left out."""
    entries: list[Entry] = []
    try:
        text = read_regular(labels, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"cannot read {labels}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("["):  # header, blank, and the annotators' C- and A- lines
            continue
        fields = [part.strip() for part in line.split("\t")]
        turn = _TURN.fullmatch(fields[1]) if len(fields) >= 3 else None
        if turn is None:
            raise InputError(
                f"{labels}, line {number}: expected '[start - end]', a turn such as "
                f"Ses01F_impro01_F000, the emotion, between tabs; got {line[:80]!r}"
            )
        emotion = _EMOTIONS.get(fields[2])
        if emotion is None:
            continue
        name, dialog = turn[0], turn[0][:-5]
        entries.append(
            Entry(
                id=name,
                path=_turn_audio(root, session / "sentences" / "wav" / dialog, name),
                emotion=emotion,
                speaker=f"{turn[1]}{turn[2]}",
                gender="female" if turn[2] == "F" else "male",
                extra={"session": turn[1], "dialog": dialog, "original": fields[2]},
                where=f"{labels.name}, line {number}",
            )
        )
    return entries


def _turn_audio(root: Path, folder: PurePath, name: str) -> str:
    """Give the path of a turn's audio; `.wav` where there is none, to be reported as missing."""
    files = [f"{folder.as_posix()}/{name}{suffix}" for suffix in (".wav", ".flac", ".aiff", ".aif")]
    return stored_path(next((file for file in files if (root / file).is_file()), files[0]))


IEMOCAP = Corpus(
    name="iemocap",
    language="en",
    scan=scan,
    title="Interactive Emotional Dyadic Motion Capture database (IEMOCAP)",
    licence="for research, on request to the University of Southern California",
    url="https://sail.usc.edu/iemocap/",
    licensees_only=True,
    layout=(
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav and "
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    ),
    counts={"neutral": 1708, "happiness": 1636, "anger": 1103, "sadness": 1084},
    group="session",
)
