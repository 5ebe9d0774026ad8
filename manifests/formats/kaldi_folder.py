"""A data folder of Kaldi: `wav.scp`, a file of labels, and what else is said of utterances there.

Each file has a line for an utterance: its name, a blank, and a value to the end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ...errors import InputError, listing
from ..pieces import Spans
from ..tables import Table
from ..text_files import read_text
from .form import Options, folder_of

RECORDINGS, SEGMENTS = "wav.scp", "segments"
LABELS = ("utt2emo", "utt2emotion", "utt2label")
"""Files of emotions; the first that is there counts."""

COLUMNS = {"utt2spk": "speaker", "utt2lang": "language", "utt2gender": "gender", "text": "text"}
"""Files by what is said there of utterances, besides `utt2<column>` for any other column."""

SPEAKERS, SPEAKERS_GENDER = "spk2utt", "spk2gender"
_OF_SPEAKERS = {"spk2lang": "language"}
"""Files by what is said there of speakers, besides `spk2<column>` for any other column."""

COMPUTED = {"utt2dur", "utt2num_frames", "utt2uniq", "utt2max_frames", SPEAKERS, "spk2warp"}
"""What Kaldi's scripts find out of sound or other files, or keep of what they made of it."""

_HOW = (
    "extract-segments scp:wav.scp segments scp:cut.scp, where cut.scp names a file for each "
    "utterance; then cut.scp is wav.scp, and there is no file segments"
)
_REMEDY = "expected a text file of Kaldi, in UTF-8"
_BLANKS = re.compile(r"[ \t]+")
_OFFSET = re.compile(r".*:\d+(\[.*\])?")


def read_folder(place: str, root: Path, options: Options) -> Table:
    """The utterances of a data folder; commands in `wav.scp` are never run.

    Raises:
        InputError: it is none, or has commands, archives or segments in place of files.
    """
    folder = folder_of(place)
    if not (folder / RECORDINGS).is_file():
        raise InputError(f"{place}: no data folder of Kaldi; expected {RECORDINGS} in it")
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    recordings = _lines(folder, RECORDINGS)
    _check_files(folder, recordings)
    notes: list[str] = []
    spans: Spans | None = None
    sources = recordings
    if SEGMENTS in files:
        sources, spans = _segments(folder, notes)
    label = _label_file(folder, files, options)
    ids = [id for _, id, _ in sources]
    columns: dict[str, list[str]] = {
        "id": ids,
        "path": [path for _, _, path in sources],
        "emotion": _cells(folder, label, ids, notes),
    }
    said_by = {"id": RECORDINGS, "path": RECORDINGS, "emotion": label}
    # Kaldi's own files come before others that would be the same column, such as utt2speaker.
    usual = [name for name in COLUMNS if name in files]
    others = [name for name in files if name.startswith("utt2") and name not in usual]
    for name in (name for name in (*usual, *others) if name not in {label, *COMPUTED}):
        column = COLUMNS.get(name) or name.removeprefix("utt2")
        if said_by.setdefault(column, name) == name:
            columns[column] = _cells(folder, name, ids, notes)
        else:
            notes.append(f"{name} was not read, as {said_by[column]} says the {column}")
    if SPEAKERS in files and "speaker" not in columns:
        columns["speaker"] = _spoken_by(folder, ids)
    _say_of_speakers(folder, files, columns, said_by, notes)
    numbers = [number for number, _, _ in sources]
    where = str(folder / (SEGMENTS if SEGMENTS in files else RECORDINGS))
    return Table(where, columns, numbers, notes=notes, spans=spans)


def _lines(folder: Path, name: str) -> list[tuple[int, str, str]]:
    """The lines of a file, by number: the name that each begins with, and its value."""
    text = read_text(folder / name, _REMEDY, folder)
    lines: list[tuple[int, str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            key, value = _BLANKS.split(line.strip() + " ", maxsplit=1)
            lines.append((number, key, value.strip()))
    return lines


def _check_files(folder: Path, recordings: list[tuple[int, str, str]]) -> None:
    """Refuse what is no file: commands, which end in '|', and places in archives."""
    commands = [value for _, _, value in recordings if "|" in (value[:1], value[-1:])]
    if commands:
        raise InputError(
            f"{folder / RECORDINGS}: {len(commands)} of {len(recordings)} recordings are commands, "
            f"which are not run here, such as {commands[0]!r:.100}. Have Kaldi write the files "
            "(wav-copy scp:wav.scp scp:files.scp, where files.scp names a file for each), and let "
            f"{RECORDINGS} name these"
        )
    archived = [value for _, _, value in recordings if _OFFSET.fullmatch(value)]
    if archived:
        raise InputError(
            f"{folder / RECORDINGS}: {len(archived)} of {len(recordings)} recordings are in "
            f"archives, such as {archived[0]!r:.100}; have Kaldi write a file for each (wav-copy)"
        )


def _segments(folder: Path, notes: list[str]) -> tuple[list[tuple[int, str, str]], Spans]:
    """The utterances with the files that they are of, and where in them."""
    files = _by_name(folder, RECORDINGS)
    lengths = _by_name(folder, "reco2dur")
    sources: list[tuple[int, str, str]] = []
    known: list[float | None] = []
    one_channel: list[bool] = []
    begins: list[float] = []
    ends: list[float | None] = []
    silent = dict(files)
    for number, id, value in _lines(folder, SEGMENTS):
        where = f"{folder / SEGMENTS}, line {number}"
        try:
            recording, begin, end, *channel = value.split()
            begins.append(float(begin))
            ends.append(None if float(end) < 0 else float(end))
            known.append(float(lengths[recording]) if recording in lengths else None)
            one_channel.append(bool(channel))
        except ValueError:
            raise InputError(
                f"{where}: {value!r:.100}: expected a recording, and where the utterance begins "
                "and ends there, in seconds"
            ) from None
        if recording not in files:
            raise InputError(f"{where}: {RECORDINGS} has no recording {recording!r:.100}")
        silent.pop(recording, None)
        sources.append((number, id, files[recording]))
    if silent:
        notes.append(f"{len(silent)} recordings of {RECORDINGS} have no segment, and were left out")
    return sources, Spans(begins, ends, known, _HOW, one_channel)


def _label_file(folder: Path, files: list[str], options: Options) -> str:
    if name := options.get("label"):
        if name not in files:
            raise InputError(
                f"{folder}: has no file {name!r}, which --option label={name} names; there are "
                f"{listing(files, 20)}"
            )
        return name
    for name in LABELS:
        if name in files:
            return name
    raise InputError(
        f"{folder}: which file has the emotions? There is no {' or '.join(LABELS)}, but "
        f"{listing(files, 20)}: --option label=FILE"
    )


def _by_name(folder: Path, file: str) -> dict[str, str]:
    """What a file says by name; nothing where it is not there. The same twice is refused."""
    values: dict[str, str] = {}
    if not (folder / file).is_file():
        return values
    for number, name, value in _lines(folder, file):
        if values.setdefault(name, value) != value:
            raise InputError(f"{folder / file}, line {number}: a second value for {name!r:.100}")
    return values


def _cells(folder: Path, file: str, ids: list[str], notes: list[str]) -> list[str]:
    """What a file says of each utterance; blank where nothing."""
    values = _by_name(folder, file)
    if others := sorted(values.keys() - {*ids}):
        notes.append(
            f"{file}: {len(others)} of {len(values)} names are of no utterance: "
            f"{listing(others, 3)}"
        )
    return [values.get(id, "") for id in ids]


def _say_of_speakers(
    folder: Path,
    files: list[str],
    columns: dict[str, list[str]],
    said_by: Mapping[str, str],
    notes: list[str],
) -> None:
    """Read what is said of speakers, and their names as they were before they had to be one word.

    Kaldi wants a speaker of every utterance: one by the name of the utterance stands for none.
    """
    names = columns.get("speaker", [])
    for file in (name for name in files if name.startswith("spk2") and name not in COMPUTED):
        column = _OF_SPEAKERS.get(file) or file.removeprefix("spk2")
        if not names:
            notes.append(f"{file} was not read, as no file says who speaks")
        elif column in said_by:
            notes.append(f"{file} was not read, as {said_by[column]} says the {column}")
        else:
            values = _by_name(folder, file)
            columns[column] = [values.get(name, "") for name in names]
    if names:
        pairs = zip(names, columns["id"], strict=True)
        columns["speaker"] = ["" if name == id else as_said(name) for name, id in pairs]


def _spoken_by(folder: Path, ids: list[str]) -> list[str]:
    """The speaker of each utterance by the file that has the utterances of each speaker."""
    speakers = {id: name for _, name, spoken in _lines(folder, SPEAKERS) for id in spoken.split()}
    return [speakers.get(id, "") for id in ids]


def as_word(name: str) -> str:
    """A name as the one word that Kaldi wants: a blank is `%20`, and what looks so `%2520`."""
    return name.replace("%2", "%252").replace(" ", "%20")


def as_said(word: str) -> str:
    """What `as_word` was given.

    >>> as_said(as_word("Anna B. %20")), as_word("Anna B.")
    ('Anna B. %20', 'Anna%20B.')
    """
    return word.replace("%20", " ").replace("%252", "%2")
