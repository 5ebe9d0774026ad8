"""Scanners of known corpora: a root folder to entries, from names alone.

Folder names are never parsed: unpacking garbles them. A root one level above or below the expected
place is found too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

from ..errors import InputError
from ..files import read_regular
from .entries import Entry, Scan
from .names import listing
from .paths import audio_files, stored_path

Options = Mapping[str, str]
Scanner = Callable[[Path, Options], Scan]

_EMODB = re.compile(r"(\d\d)([a-z]\d\d)([WLEAFTN])([a-z]?)", re.IGNORECASE)
_EMODB_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_EMODB_GENDERS = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)

_CAFE = re.compile(r"(\d\d)-(?:N(?:-\d)?|([CDJPST])-([12]))-(\d)", re.IGNORECASE)
_CAFE_EMOTIONS = {
    "C": "anger",
    "D": "disgust",
    "J": "happiness",
    "P": "fear",
    "S": "surprise",
    "T": "sadness",
}

_RAVDESS = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
_RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}

_EMOVO = re.compile(r"(dis|gio|neu|pau|rab|sor|tri)-([fm]\d)-([a-z]\d)", re.IGNORECASE)
_EMOVO_EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


def scan_emodb(root: Path, options: Options) -> Scan:
    """Scan EmoDB: `wav/03a01Fa.wav` = speaker, text, emotion letter, take.

    Version 2 has the signal of a laryngograph beside each utterance, under the same name, in
    `laryngo/`: it is left out.
    """

    def entry(name: re.Match[str], path: str) -> Entry:
        speaker, text, letter, take = name[1], name[2].lower(), name[3].upper(), name[4].lower()
        return Entry(
            id=f"{speaker}{text}{letter}{take}",
            path=path,
            emotion=_EMODB_EMOTIONS[letter],
            speaker=speaker,
            gender=_EMODB_GENDERS.get(speaker, ""),
            extra={"sentence": text, "take": take},
        )

    return _scan_names(root, _EMODB, (2, 3), entry, beside="laryngo")


def scan_cafe(root: Path, options: Options) -> Scan:
    """Scan CaFE: `Colère/Fort/01-C-2-6.wav` = actor, emotion, intensity, sentence.

    Neutral speech is `01-N-1-6` in one release and `01-N-6` in another: the id is the latter in
    both. Option `intensity`: `strong` (default; with neutral) or `all`.
    """

    def entry(name: re.Match[str], path: str) -> Entry | None:
        actor, sentence = name[1], name[4]
        gender = "male" if int(actor) % 2 else "female"
        if name[2] is None:
            extra = {"intensity": "", "sentence": sentence}
            return Entry(f"{actor}-N-{sentence}", path, "neutral", actor, gender, extra)
        letter, strong = name[2].upper(), name[3] == "2"
        if not strong and options.get("intensity", "strong") == "strong":
            return None
        return Entry(
            id=f"{actor}-{letter}-{name[3]}-{sentence}",
            path=path,
            emotion=_CAFE_EMOTIONS[letter],
            speaker=actor,
            gender=gender,
            extra={"intensity": "strong" if strong else "weak", "sentence": sentence},
        )

    # One depth only: neutral files lie a level higher than the others, and must not be found alone.
    return _scan_names(root, _CAFE, (4,), entry)


def scan_ravdess(root: Path, options: Options) -> Scan:
    """Scan RAVDESS speech: `Actor_01/03-01-05-01-02-01-01.wav`; songs and video are left out."""

    def entry(name: re.Match[str], path: str) -> Entry:
        actor = name[5]
        return Entry(
            id=name[0],
            path=path,
            emotion=_RAVDESS_EMOTIONS[name[1]],
            speaker=actor,
            gender="male" if int(actor) % 2 else "female",
            extra={
                "intensity": "strong" if name[2] == "02" else "normal",
                "sentence": name[3],
                "take": name[4],
            },
        )

    return _scan_names(root, _RAVDESS, (2, 3), entry)


def scan_emovo(root: Path, options: Options) -> Scan:
    """Scan EMOVO: `f1/dis-f1-b1.wav` = emotion, speaker, sentence."""

    def entry(name: re.Match[str], path: str) -> Entry:
        emotion, speaker, sentence = (part.lower() for part in name.groups())
        return Entry(
            id=f"{emotion}-{speaker}-{sentence}",
            path=path,
            emotion=_EMOVO_EMOTIONS[emotion],
            speaker=speaker,
            gender="female" if speaker[0] == "f" else "male",
            extra={"sentence": sentence},
        )

    return _scan_names(root, _EMOVO, (2, 3), entry)


def _scan_names(
    root: Path,
    pattern: re.Pattern[str],
    depths: tuple[int, ...],
    entry: Callable[[re.Match[str], str], Entry | None],
    beside: str = "",
) -> Scan:
    """Parse the stems of all audio files down to the first of `depths` where any of them parses.

    The second depth finds a root given one level too high. Going there only when the first has
    nothing leaves out the copy of itself that some archives hold. Files in folders named `beside`
    are no speech.
    """
    real = root.resolve()
    for depth in depths:
        entries: list[Entry] = []
        foreign: list[str] = []
        other: list[str] = []
        for file in audio_files(root, depth):
            name = pattern.fullmatch(file.rpartition("/")[2].rpartition(".")[0])
            if beside and (real / file).parent.name.lower() == beside:
                other.append(stored_path(file))
            elif name is None:
                foreign.append(stored_path(file))
            elif (parsed := entry(name, stored_path(file))) is not None:
                entries.append(parsed)
        if entries:
            break
    notes = [
        f"{len(files)} audio files were left out, as {reason}: {listing(files, 3)}"
        for files, reason in (
            (foreign, "their names are not this corpus's"),
            (other, f"what lies in {beside}/ is no speech"),
        )
        if files
    ]
    return Scan(entries, notes=notes)


MOST_BYTES = 16 << 20
"""A file of IEMOCAP's labels has less than 100 KB."""

_TURN = re.compile(r"(Ses\d\d)[FM]_\w+_([FM])\w{3}")
_IEMOCAP_EMOTIONS = {
    "neu": "neutral",
    "hap": "happiness",
    "exc": "happiness",
    "ang": "anger",
    "sad": "sadness",
}


def scan_iemocap(root: Path, options: Options) -> Scan:
    """Scan IEMOCAP: labels in `SessionN/dialog/EmoEvaluation`, audio in `SessionN/sentences/wav`.

    The speaker is the session and the letter of the turn's last field (`_F000`). The letter after
    `Ses01` says which of the two wore the markers, and is not the speaker.
    """
    if re.fullmatch(r"Session\d+", root.resolve().name) and (root / "sentences").is_dir():
        raise InputError(
            f"{root} is one session of IEMOCAP; give the folder that holds Session1 to Session5"
        )
    entries: list[Entry] = []
    for session in _session_folders(root):
        labels = root / session / "dialog" / "EmoEvaluation"
        # Only the folder itself: its subfolders hold the single annotators' opinions.
        for file in sorted(labels.glob("*.txt")) if labels.is_dir() else []:
            if not file.name.startswith("."):
                entries += _iemocap_turns(root, session, file)
    return Scan(entries)


def _session_folders(root: Path) -> list[PurePath]:
    """Find `SessionN` folders in `root`, else one level below; relative to `root`."""
    for pattern in ("Session*", "*/Session*"):
        found = [
            folder
            for folder in sorted(root.glob(pattern))
            if re.fullmatch(r"Session\d+", folder.name) and folder.is_dir()
        ]
        # A link beside the folder that it leads to is no other session.
        real = {
            os.path.realpath(folder): folder
            for folder in sorted(found, key=lambda folder: (not folder.is_symlink(), folder))
        }
        if found:
            return [
                PurePath(folder.relative_to(root)) for folder in found if folder in real.values()
            ]
    return []


def _iemocap_turns(root: Path, session: PurePath, labels: Path) -> list[Entry]:
    """Read one evaluation file; turns outside the four classes are left out."""
    entries: list[Entry] = []
    try:
        text = read_regular(labels, MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"cannot read {labels}: {error.strerror}") from error
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith("["):  # header, blank, and the annotators' C- and A- lines
            continue
        fields = [part.strip() for part in line.split("\t")]
        turn = _TURN.fullmatch(fields[1]) if len(fields) >= 3 else None
        if turn is None:
            raise InputError(
                f"{labels}, line {number}: expected '[start - end]', a turn such as "
                f"Ses01F_impro01_F000, the emotion, between tabs; got {line[:80]!r}"
            )
        emotion = _IEMOCAP_EMOTIONS.get(fields[2])
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
