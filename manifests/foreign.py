"""A corpus in a form that others made: a database, a data set, lists of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ..errors import InputError, listing
from .corpora.corpus import Corpus, Scan
from .csv_files import is_kept
from .csv_paths import path_in_root
from .formats import FORMATS, Format
from .languages import short_tag
from .missing import is_missing
from .names import id_from_name, problem_with_id, problem_with_language
from .paths import audio_path, exists, is_inside
from .tables import OPTIONAL, Table, scan_table
from .text import alike, plain
from .usual import unusual

SOURCE_ID = "source_id"
"""The column of ids as they were, where they could be none here."""

_LOOKED_AT = 100
"""Paths of a table that are looked for below a root."""


def corpus_from(name: str, source: str, language: str | None = None) -> Corpus:
    """A corpus of one's own, read by `build_manifest` and `extract_corpus` from what others made.

    Args:
        name: of the corpus.
        source: the format and the place, such as `kaldi:data/train`.
        language: such as `pt`, where the source does not say.

    Raises:
        InputError: there is no such format.
    """
    known = ", ".join(f"{form}:PATH" for form in FORMATS)
    form, colon, place = source.partition(":")
    if not colon or not place:
        raise InputError(f"{source!r} says not what format it is: expected one of {known}")
    if form not in FORMATS:
        raise InputError(f"{source!r}: expected one of {known}")
    found = FORMATS[form]
    spoken = short_tag(language) if language else ""
    return Corpus(
        name,
        spoken,
        partial(_scan, found, place, spoken or None),
        options=dict.fromkeys((*found.options, "emotions"), ()),
        root=found.home(place),
        unpacks=found.unpacks,
    )


def _scan(
    form: Format, place: str, language: str | None, root: Path, options: Mapping[str, str]
) -> Scan:
    table = form.read(place, root, options)
    if not table.numbers:
        raise InputError(f"{table.where}: has no utterances")
    _refuse_repeats(table, "split" in form.options)
    for adapted in (_with_columns, _with_ids, partial(_with_paths, root=root), _with_language):
        table = adapted(table)
    if table.spans:
        files = [_file(path, root) for path in table.columns["path"]]
        table.spans.refuse_pieces(table.where, files)
    return scan_table(table, language, root, options)


def _file(path: str, root: Path) -> Path:
    """The file that a path of a table means, as it is looked for when the manifest is built."""
    try:
        return audio_path(root, path_in_root(path, root))
    except ValueError:  # what is wrong with it, `scan_table` says
        return root / path


def _with_columns(table: Table) -> Table:
    """Without columns that a manifest, read again, would not have: those that number the rows, and
    those whose names differ from ones of ours in case or form alone."""
    notes = [*table.notes]
    ours = {"path", "emotion", *OPTIONAL}
    # A column of that name says from which of several corpora a row is, which become one.
    twins = {name: alike(name) for name in table.columns if name not in ours - {"corpus"}}
    kept = {}
    for place, (name, cells) in enumerate(table.columns.items(), 1):
        if (twin := twins.get(name)) in ours:
            notes.append(f"column {name!r} was left out: a manifest has its own {twin!r}")
        elif is_kept(table.where, place, name, cells, notes):
            kept[name] = cells
    return replace(table, columns=kept, notes=notes)


def _refuse_repeats(table: Table, chooses: bool) -> None:
    """Raise InputError where splits have the same utterances, as `all` has those of the others.

    Args:
        chooses: whether an option says which splits are read.
    """
    splits = table.columns.get("split", [])
    paths = table.columns["path"]
    ids = table.columns.get("id", [""] * len(paths))
    found: dict[tuple[str, str], set[str]] = {}
    for id, path, split in zip(ids, paths, splits, strict=False):
        if split:
            found.setdefault((id, path), set()).add(split)
    again = {path: sorted(names) for (_, path), names in found.items() if len(names) > 1}
    if not again:
        return
    path, names = next(iter(again.items()))
    largest = max(names, key=Counter(splits).__getitem__)
    remedy = (
        f"say which are read: --option split={largest}, several with commas between"
        if chooses
        else "leave lists there that have each utterance once, and move the others elsewhere"
    )
    raise InputError(
        f"{table.where}: {len(again)} of {len(found)} utterances are in several splits, such as "
        f"{path!r:.200} in {listing(names)}; {remedy}"
    )


def _with_ids(table: Table) -> Table:
    """Ids that tell utterances apart and can name files, of which the others are kept as
    `SOURCE_ID`."""
    given = table.columns.get("id", [])
    notes = [*table.notes]
    ids = _by_split(given, table.columns.get("split", []))
    if ids != given:
        notes.append(f"ids count anew in every split, and have its name before them: {ids[0]}")
    changes = {
        id: id_from_name(id)
        for id in unusual("id", ids)
        if not is_missing(id) and problem_with_id(plain(id))
    }
    if changes:
        first = next(id for id in ids if id in changes)
        notes.append(
            f"{len(changes)} ids could not name files, and are kept as {SOURCE_ID}: {first!r:.100} "
            f"is {changes[first]}"
        )
        ids = [changes.get(id, id) for id in ids]
    if ids == given:
        return table
    return replace(table, columns={SOURCE_ID: given, **table.columns, "id": ids}, notes=notes)


def _by_split(ids: list[str], splits: list[str]) -> list[str]:
    """Ids with their splits before them, where only so no two are the same."""

    def differ(names: list[str]) -> bool:
        return len({name.lower() for name in names}) == len(names)

    named = [f"{split}-{id}" for split, id in zip(splits, ids, strict=False)]
    told = all(splits) and not any(map(is_missing, ids))
    return named if told and len(named) == len(ids) and not differ(ids) and differ(named) else ids


def _with_paths(table: Table, root: Path) -> Table:
    """Paths without the folders that all begin with, where only so their files are below the root:
    lists are often made elsewhere."""
    paths = table.columns["path"]
    if any(exists(root / path) for path in paths[:_LOOKED_AT]):
        return table
    parts = [PurePosixPath(path.replace("\\", "/")).parts for path in paths]
    both = zip(min(parts)[:-1], max(parts)[:-1], strict=False)
    common = [one for one, other in takewhile(lambda pair: pair[0] == pair[1], both)]
    for depth in range(1, len(common) + 1):
        shorter = ["/".join(each[depth:]) for each in parts]
        if any(is_inside(path) and exists(root / path) for path in shorter[:_LOOKED_AT]):
            begins = PurePosixPath(*common[:depth])
            note = f"all paths begin with {str(begins)!r}, and were read without it"
            columns = {**table.columns, "path": shorter}
            return replace(table, columns=columns, notes=[*table.notes, note])
    return table


def _with_language(table: Table) -> Table:
    """Languages that are short codes: a column with what is none is left out."""
    given = table.columns.get("language")
    if given is None:
        return table
    short = {word: word if is_missing(word) else short_tag(word) for word in {*given}}
    wrong = {
        word: count
        for word, count in Counter(given).most_common()
        if not is_missing(word) and problem_with_language(short[word])
    }
    if not wrong:
        cells = [short[word] for word in given]
        return replace(table, columns={**table.columns, "language": cells})
    words = listing(f"{word!r:.50} ({count})" for word, count in wrong.items())
    note = f"language: what is no code, such as en, was left out: {words}"
    columns = {name: cells for name, cells in table.columns.items() if name != "language"}
    return replace(table, columns=columns, notes=[*table.notes, note])
