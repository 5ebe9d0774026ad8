"""Corpora whose file names say everything.

Folder names are never parsed: unpacking garbles them. A root one level above or below the expected
place is found too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ...errors import listing
from ..paths import audio_files, stored_path
from .corpus import Entry, Options, Scan, Scanner

ParseName = Callable[[re.Match[str], str, Options], Entry | None]


def by_file_names(
    pattern: re.Pattern[str], depths: tuple[int, ...], parse: ParseName, beside: str = ""
) -> Scanner:
    """Make a scanner that parses the names of audio files.

    It goes down to the first of `depths` where any name parses. The second depth finds a root given
    one level too high. Going there only when the first has nothing leaves out the copy of itself
    that some archives hold.

    Args:
        pattern: of a whole name, without its suffix.
        depths: how many levels below the root files lie, 1 in the root itself.
        parse: makes the entry of a name that fits and a stored path; None leaves the file out.
        beside: a folder, in lower case, whose files are no speech.
    """

    def scan(root: Path, options: Options) -> Scan:
        real = root.resolve()
        foreign, other = "their names are not this corpus's", f"what lies in {beside}/ is no speech"
        for depth in depths:
            entries: list[Entry] = []
            left_out: dict[str, list[str]] = {foreign: [], other: []}
            for file in audio_files(root, depth):
                name = pattern.fullmatch(file.rpartition("/")[2].rpartition(".")[0])
                path = stored_path(file)
                if beside and (real / file).parent.name.lower() == beside:
                    left_out[other].append(path)
                elif name is None:
                    left_out[foreign].append(path)
                elif (entry := parse(name, path, options)) is not None:
                    entries.append(entry)
            if entries:
                break
        notes = [
            f"{len(files)} audio files were left out, as {reason}: {listing(files, 3)}"
            for reason, files in left_out.items()
            if files
        ]
        return Scan(entries, notes=notes)

    return scan
