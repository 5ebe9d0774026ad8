"""A manifest as a database of audformat, as `audformat_database` reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError, listing
from ..fingerprint import FINGERPRINT
from ..manifest import GENDERS, Manifest
from .audformat_database import import_libraries

EMOTION, FILES = "emotion", "files"
"""Tables: of the emotions, and of what else is known of the files."""

_INDEX = {"file", "start", "end"}
"""Columns that tables of audformat have of their own."""

_ELSEWHERE = {"path", "corpus", "emotion", "duration", "audio_hash", FINGERPRINT}
"""Columns that are written apart, or that a scan makes anew."""


def write_database(
    folder: Path, manifest: Manifest, paths: Sequence[str], licence: str
) -> list[str]:
    """Write the header and the tables of a database; returns what is to be told of them.

    Args:
        paths: of the audio, as they are to be written.
        licence: of the corpus.

    Raises:
        InputError: two utterances are one file.
        MissingPackageError: audformat is not installed.
    """
    import pandas as pd

    audformat, _ = import_libraries()
    if twice := [path for path, count in Counter(paths).items() if count > 1]:
        raise InputError(f"audformat has one row for a file; {listing(twice)} is of several")
    table = manifest.table
    left_out = [name for name in table.columns if name in _INDEX]
    notes = [f"audformat has no column {listing(left_out)}"] if left_out else []
    database = audformat.Database(
        name=manifest.corpus,
        source="",
        usage=audformat.define.Usage.OTHER,
        license=licence or None,
    )
    try:
        database.languages = [audformat.utils.map_language(manifest.language.partition("-")[0])]
    except ValueError:
        notes.append(f"audformat knows no language {manifest.language!r}; it is a column")
    labels = {EMOTION: list(manifest.labels), "gender": [name for name in GENDERS if name]}
    index = audformat.filewise_index(list(paths))
    database[EMOTION], database[FILES] = audformat.Table(index), audformat.Table(index)
    apart = _ELSEWHERE | _INDEX
    # Blank ones too: where no column has the name of a role, another may be taken for it.
    columns = [name for name in table.columns if name not in apart]
    for name in (EMOTION, *columns):
        database.schemes[name] = audformat.Scheme("str", labels=labels.get(name))
        column = audformat.Column(scheme_id=name)
        (database[EMOTION] if name == EMOTION else database[FILES])[name] = column
        column.set([cell or None for cell in table[name]])
    database.schemes["duration"] = audformat.Scheme("time")
    database[FILES]["duration"] = audformat.Column(scheme_id="duration")
    database[FILES]["duration"].set(pd.to_timedelta(table["duration"].tolist(), unit="s"))
    database.save(str(folder), storage_format="csv")
    return notes
