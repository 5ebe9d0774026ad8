"""Corpora whose file names say everything.

Folder names are never parsed: unpacking garbles them. A root one level above or below the expected
place is found too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..names import listing
from ..paths import audio_files, stored_path
from .corpus import Entry, Scan


def scan_names(
    root: Path,
    pattern: re.Pattern[str],
    depths: tuple[int, ...],
    entry: Callable[[re.Match[str], str], Entry | None],
    beside: str = "",
) -> Scan:
    """Parse the stems of all audio files down to the first of `depths` where any of them parses.

    The second depth finds a root given one level too high. Going there only when the first has
    nothing leaves out the copy of itself that some archives hold.

    Args:
        pattern: of a whole stem.
        entry: makes the entry of a parsed stem and a stored path; None leaves the file out.
        beside: a folder, in lower case, whose files are no speech.
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
