"""Corpora whose file names say everything.

A pattern may take in folders, where a publisher says something there alone. Other folder names are
not looked at: unpacking garbles them. A root one level above or below the expected place is found
too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path

from ...errors import InputError, listing
from ..names import id_from_path
from ..paths import AUDIO_SUFFIXES, DEEPEST, audio_files, is_audio, stored_path
from .corpus import Entry, Options, Scan, Scanner

ParseName = Callable[[re.Match[str], str, Options], Entry | None]

_MOST_FOLDERS = 4
"""Folders above a file that a pattern can take in."""


def by_file_names(
    pattern: re.Pattern[str],
    depths: tuple[int, ...],
    parse: ParseName,
    beside: str = "",
    suffixes: Set[str] = AUDIO_SUFFIXES,
) -> Scanner:
    """Make a scanner that parses the names of audio files.

    It goes down to the first of `depths` where any name parses. The second depth finds a root given
    one level too high. Going there only when the first has nothing leaves out the copy of itself
    that some archives hold. What lies deeper still and is no such copy is told.

    Args:
        pattern: of a whole name without its suffix, or of the last folders too, with '/' between.
        depths: how many levels below the root files lie, 1 in the root itself.
        parse: makes the entry of a name that fits and a stored path; None leaves the file out. It
            raises LookupError for a name that is not this corpus's after all.
        beside: a folder, in lower case, whose files are no speech.
        suffixes: in lower case, of the files that the publisher ships.
    """

    def look(root: Path, depth: int, options: Options) -> tuple[list[Entry], dict[str, list[str]]]:
        """The entries down to a depth, and the files that were left out, by the reason."""
        real = root.resolve().as_posix()
        foreign, other = "their names are not this corpus's", f"what lies in {beside}/ is no speech"
        entries: list[Entry] = []
        left_out: dict[str, list[str]] = {foreign: [], other: []}
        for file in audio_files(root, depth, suffixes):
            path = stored_path(file)
            parts = f"{real}/{file}".split("/")
            if beside and parts[-2].lower() == beside:
                left_out[other].append(path)
                continue
            try:
                entry = parse(_match(pattern, parts), path, options)
            except LookupError:
                left_out[foreign].append(path)
            else:
                entries += [entry] if entry else []
        return _decodable_first(entries), left_out

    def scan(root: Path, options: Options) -> Scan:
        for depth in depths:
            entries, left_out = look(root, depth, options)
            if entries:
                break
        if ids := {entry.id for entry in entries}:
            with suppress(InputError):  # what cannot be read down there is not asked for
                deeper, _ = look(root, DEEPEST, options)
                too_deep = [entry.path for entry in deeper if entry.id not in ids]
                left_out["they lie deeper than the others of this corpus"] = too_deep
        notes = [
            f"{len(files)} audio files were left out, as {reason}: {listing(files, 3)}"
            for reason, files in left_out.items()
            if files
        ]
        return Scan(entries, notes=notes)

    return scan


def by_named_groups(
    pattern: str,
    depths: tuple[int, ...],
    emotions: Mapping[str, str],
    id: str,
    genders: Mapping[str, str] | None = None,
    suffixes: Set[str] = AUDIO_SUFFIXES,
) -> Scanner:
    """Make a scanner of a pattern whose groups are named as the columns of a manifest.

    Case does not matter. Group `emotion` is a code of `emotions`; what has another is not of this
    corpus. Groups `speaker` and `gender` may be there; all others are columns of the corpus's own.

    Args:
        pattern, depths, suffixes: as `by_file_names` has them.
        emotions: by codes in lower case.
        id: what ids are made of, such as `{speaker}-{take}`.
        genders: by codes in lower case of the group `gender`, or else of the speakers.
    """

    def entry(name: re.Match[str], path: str, options: Options) -> Entry:
        groups = {group: text or "" for group, text in name.groupdict().items()}
        emotion = emotions[groups["emotion"].lower()]
        made = id_from_path(id.format_map(groups))
        del groups["emotion"]
        speaker = groups.pop("speaker", "")
        gender = (genders or {}).get(groups.pop("gender", speaker).lower(), "")
        return Entry(made, path, emotion, speaker, gender, groups)

    return by_file_names(re.compile(pattern, re.IGNORECASE), depths, entry, suffixes=suffixes)


def _decodable_first(entries: list[Entry]) -> list[Entry]:
    """Without a video of which the sound lies beside it, under the same name."""
    heard = {_stem(entry) for entry in entries if is_audio(entry.path)}
    return [entry for entry in entries if is_audio(entry.path) or _stem(entry) not in heard]


def _stem(entry: Entry) -> str:
    return entry.path.rpartition(".")[0]


def _match(pattern: re.Pattern[str], parts: list[str]) -> re.Match[str]:
    """The pattern in a name with as many folders as it takes in; else raises LookupError."""
    *folders, name = parts[-_MOST_FOLDERS - 1 :]
    path = "/".join([*folders, name.rpartition(".")[0]])
    start = 0
    for folder in [*folders, ""]:
        if match := pattern.fullmatch(path, start):
            return match
        start += len(folder) + 1
    raise LookupError(name)
