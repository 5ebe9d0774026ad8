"""A manifest as a data folder of Kaldi, as `kaldi_folder` reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import InputError, listing
from ..fingerprint import FINGERPRINT
from ..manifest import Manifest
from .kaldi_folder import (
    COLUMNS,
    COMPUTED,
    LABELS,
    RECORDINGS,
    SPEAKERS,
    SPEAKERS_GENDER,
    as_word,
)

_FILES = {column: file for file, column in COLUMNS.items()} | {
    "emotion": LABELS[0],
    "duration": "utt2dur",
}
_ELSEWHERE = {"id", "path", "speaker", "gender", "corpus", "audio_hash", FINGERPRINT}
"""Columns that are written apart, or that Kaldi has no place for and a scan makes anew."""

_NAME = re.compile(r"[\w-]{1,64}")
_NO_FILE = re.compile(r"[\n\r]|^[|\s]|[|\s]$|^-$|:\d+(\[.*\])?$")
"""What Kaldi takes for a command, an archive, or several lines."""

_INITIALS = {"female": "f", "male": "m"}


def write_folder(folder: Path, manifest: Manifest, paths: Sequence[str], licence: str) -> list[str]:
    """Write the files of a data folder; returns what is to be told of them.

    Args:
        paths: of the audio, as they are to be written.
        licence: not written, as Kaldi has no place for one.

    Raises:
        InputError: Kaldi would take a path for something else.
    """
    ids = manifest.ids
    if wrong := [path for path in paths if _NO_FILE.search(path)]:
        raise InputError(
            f"Kaldi would take {len(wrong)} paths for commands, archives or several lines, such as "
            f"{wrong[0]!r:.100}; rename the files"
        )
    table = manifest.table
    _write(folder / RECORDINGS, zip(ids, paths, strict=True))
    speakers = [as_word(name) or id for name, id in zip(table["speaker"], ids, strict=True)]
    _write(folder / "utt2spk", zip(ids, speakers, strict=True))
    spoken: dict[str, list[str]] = {}
    for id, speaker in zip(ids, speakers, strict=True):
        spoken.setdefault(speaker, []).append(id)
    _write(folder / SPEAKERS, ((name, " ".join(spoken[name])) for name in sorted(spoken)))
    _write_genders(folder, ids, speakers, table["gender"].tolist())
    written, left_out, blank = {"utt2spk", SPEAKERS, "utt2gender"}, [], []
    for column in table.columns:
        if column in _ELSEWHERE:
            continue
        file = _FILES.get(column, f"utt2{column}")
        if file.lower() in written or file in COMPUTED - {"utt2dur"} or not _NAME.fullmatch(file):
            left_out.append(column)
            continue
        written.add(file.lower())
        cells = [(id, str(cell)) for id, cell in zip(ids, table[column], strict=True)]
        if said := [pair for pair in cells if pair[1]]:
            _write(folder / file, said)
        elif column not in COLUMNS.values():  # which the reader knows to be blank
            blank.append(column)
    notes = [f"Kaldi has no file for {listing(left_out)}"] if left_out else []
    if blank:
        notes.append(f"columns without a value have no file: {listing(blank)}")
    return notes + _misleading(manifest)


def _misleading(manifest: Manifest) -> list[str]:
    """Notes of what Kaldi takes for something else than it is, or wants whole."""
    ids, table = manifest.ids, manifest.table
    names = list(map(as_word, table["speaker"]))
    known = {*names}
    alone = [id for id, name in zip(ids, names, strict=True) if name == id]
    mistaken = [id for id, name in zip(ids, names, strict=True) if not name and id in known]
    notes = []
    if alone:
        notes.append(
            f"{len(alone)} speakers have the name of their utterance, which tells Kaldi that they "
            f"are not known: {listing(alone, 3)}"
        )
    if mistaken:
        notes.append(
            f"{len(mistaken)} utterances without a speaker have the name of one, who is taken for "
            f"theirs by Kaldi: {listing(mistaken, 3)}"
        )
    if "text" in table and 0 < (silent := list(table["text"]).count("")) < len(ids):
        notes.append(
            f"{silent} of {len(ids)} utterances have no text, which Kaldi's scripts and lhotse "
            "want of all or of none"
        )
    return notes


def _write_genders(
    folder: Path, ids: Sequence[str], speakers: Sequence[str], genders: Sequence[str]
) -> None:
    """By speaker, as Kaldi has them, where all have one; else by utterance."""
    said = dict(zip(speakers, genders, strict=True))
    same = all(said[name] == gender for name, gender in zip(speakers, genders, strict=True))
    if same and {*genders} <= {*_INITIALS}:
        lines = [(name, _INITIALS[said[name]]) for name in sorted(said)]
        file = SPEAKERS_GENDER
    else:
        lines = [(id, gender) for id, gender in zip(ids, genders, strict=True) if gender]
        file = "utt2gender"
    if lines:
        _write(folder / file, lines)


def _write(file: Path, lines: Iterable[tuple[str, str]]) -> None:
    file.write_bytes("".join(f"{name} {value}\n" for name, value in lines).encode())
