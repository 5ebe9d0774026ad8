"""Databases of audformat: a header, `db.yaml`, and tables, `db.<table>.csv` or `.parquet`.

The library makes its objects, but is given neither the header as YAML, of which it would run what
stands there, nor pickled tables.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import (
    InputError,
    MissingPackageError,
    SerError,
    did_you_mean,
    install_command,
    listing,
)
from ...files import open_regular, read_regular
from ..missing import is_missing
from ..names import is_language, language_tag
from ..pieces import Spans
from ..tables import Table
from ..text import alike
from .audformat_facts import Facts, Piece, Source, merged
from .columns import ROLES, as_table, as_text, find_role, find_roles, with_parts
from .form import Options, folder_of

HEADER = "db.yaml"
_MOST_HEADER = 16 << 20
_MOST_TABLE = 1 << 30
_TABLE = re.compile(r"[\w-][\w.-]{0,200}")
_SUFFIXES = ("parquet", "csv")
"""As audformat looks for tables, but for pickles, which can run code."""

_HOW = "ffmpeg -i LONG -ss START -to END PIECE.flac for each, and a table of the pieces"


def read_database(place: str, root: Path, options: Options) -> Table:
    """The files that tables of emotions have, with whatever else tables and schemes say of them.

    Raises:
        InputError: it is no database, tables disagree, or utterances are pieces of files.
        MissingPackageError: audformat is not installed.
    """
    folder = folder_of(place)
    if not (folder / HEADER).is_file():
        raise InputError(f"{place}: no database of audformat; expected {HEADER} in it")
    try:
        return _table(_loaded(folder), folder, options)
    except SerError:
        raise
    except Exception as error:  # audformat, yaml and pandas raise nearly anything for what is wrong
        why = f"{type(error).__name__}: {error!s:.300}".splitlines()[0]
        raise InputError(f"{folder}: audformat cannot read it: {why}") from error


def _loaded(folder: Path) -> Any:
    """A database with all its tables in memory; none of its files can run anything."""
    audformat, yaml = import_libraries()
    try:
        text = read_regular(folder / HEADER, _MOST_HEADER, folder)
    except OSError as error:
        raise InputError(f"cannot read {folder / HEADER}: {error.strerror}") from error
    header = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    database = audformat.Database.load_header_from_yaml(header)
    with tempfile.TemporaryDirectory(prefix="ser-audformat-") as scratch:
        # Labels of schemes can stand in tables, and are known before they are looked up.
        for name in (*database.misc_tables, *database.tables):
            copy = _copied(folder, name, Path(scratch))
            database[name].load(str(copy.with_suffix("")))
    return database


def _copied(folder: Path, table: str, scratch: Path) -> Path:
    """The file of a table, copied to where no pickle lies beside it."""
    if not _TABLE.fullmatch(table):
        raise InputError(f"{folder / HEADER}: {table!r:.100} is no name of a table")
    for suffix in _SUFFIXES:
        name = f"db.{table}.{suffix}"
        try:
            with open_regular(folder / name, folder) as source:
                if source.seek(0, 2) > _MOST_TABLE:
                    raise InputError(f"{folder / name}: is longer than {_MOST_TABLE} bytes")
                source.seek(0)
                with (scratch / name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
            return scratch / name
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"cannot read {folder / name}: {error.strerror}") from error
    if (folder / f"db.{table}.pkl").exists():
        raise InputError(
            f"{folder}: the table {table} is a pickle alone, which could run code and is not read; "
            'whoever made it can save it anew: db.save(FOLDER, storage_format="csv")'
        )
    raise InputError(f"{folder}: has no db.{table}.csv or .parquet, of which {HEADER} tells")


def _table(database: Any, folder: Path, options: Options) -> Table:
    where = str(folder)
    facts = Facts(database)
    if speaker := find_role("speaker", [*facts.names, *facts.schemes], options, where):
        facts.know_speakers(speaker)
    names = facts.names
    roles = find_roles(list(dict.fromkeys((*names, *facts.schemes))), options, where)
    label = roles["label"]
    sources = _label_sources(database, facts, label, options, where)
    emotions = _emotions(sources, label, where)
    files = [file for file, _, _ in emotions]
    columns = {label: list(emotions.values())}
    for name in dict.fromkeys((*names, *roles.values())):
        if name not in columns and (cells := _cells(facts, name, files)) is not None:
            columns[name] = cells
    notes = _left_out(database, files, label, bool(options.get("table")))
    if left := [name for name in names if name not in columns]:
        notes.append(f"what has not one value for each file was left out: {listing(left)}")
    roles = {role: column for role, column in roles.items() if column in columns}
    if splits := _splits(database, sources, files, notes):
        columns = with_parts(columns, splits, notes)
    if any(spoken := columns.get(roles.get("language", ""), [])):
        codes = {word: _code(word) for word in {*spoken}}
        columns[roles["language"]] = [codes[word] for word in spoken]
    elif len(database.languages) == 1:
        columns["language"] = [str(database.languages[0])] * len(files)
        roles["language"] = "language"
    notes += _not_read(names, roles, options)
    table = {"path": files} | as_table(columns, roles, options, notes)
    licence = as_text(database.license)
    return Table(where, table, range(1, len(files) + 1), "row", notes, licence, _spans(emotions))


def _label_sources(
    database: Any, facts: Facts, label: str, options: Options, where: str
) -> list[Source]:
    """What gives the emotions, in all tables or those that an option names."""
    tables = options["table"].split(",") if options.get("table") else None
    for table in tables or ():
        if table not in database.tables:
            raise InputError(
                f"{where}: has no table {table!r}{did_you_mean(table, database.tables)}; there are "
                f"{listing(database.tables, 20)}"
            )
    if sources := facts.sources(label, tables):
        return sources
    others = dict.fromkeys(source.table for source in facts.sources(label))
    raise InputError(
        f"{where}: {options['table']} has no {label}, but {listing(others, 20)}: choose of these, "
        f"or another column: --option table={'|'.join(others)}, --option label=COLUMN"
    )


def _emotions(sources: list[Source], label: str, where: str) -> dict[Piece, str]:
    try:
        return merged(sources)
    except ValueError as error:
        choices = {
            "label": dict.fromkeys(source.name for source in sources),
            "table": dict.fromkeys(source.table for source in sources),
        }
        ways = [f"{name}={'|'.join(each)}" for name, each in choices.items() if len(each) > 1]
        raise InputError(
            f"{where}: {label} is not one for each file, as columns of several raters or tables "
            f"differ ({error}); choose a column, or tables with commas between: --option "
            f"{', --option '.join(ways)}"
        ) from error


def _cells(facts: Facts, name: str, files: list[str]) -> list[str] | None:
    """What is said of each file under a name; None where it is of others, or not one for each."""
    values: dict[str, str] = {}
    try:
        for (file, _, _), value in merged(facts.sources(name)).items():
            if value and values.get(file) and values[file] != value:
                return None
            values[file] = values.get(file) or value
    except (ValueError, TypeError):
        return None
    return None if values.keys().isdisjoint(files) else [values.get(file, "") for file in files]


def _left_out(database: Any, files: list[str], label: str, chosen: bool) -> list[str]:
    """A note of the files of which nothing says the emotion."""
    every = {str(file) for table in database.tables.values() for file in table.files}
    others = sorted(every - {*files})
    where = " in the tables that were chosen" if chosen else ""
    note = f"{len(others)} of {len(every)} files have no {label}{where}, and were left out"
    return [f"{note}: {listing(others, 3)}"] if others else []


def _splits(database: Any, sources: list[Source], files: list[str], notes: list[str]) -> list[str]:
    """The split of each file, by the tables that have its emotion; nothing where there is none."""
    splits: dict[str, str] = {}
    again: set[str] = set()
    for source in sources:
        split = database.tables[source.table].split_id
        for (file, _, _), emotion in source.said() if split else ():
            if emotion and splits.setdefault(file, split) != split:
                again.add(file)
    if again:
        notes.append(
            f"{len(again)} files are in several splits, of which the first is kept: "
            f"{listing(sorted(again), 3)}"
        )
    return [splits.get(file, "") for file in files] if splits else []


def _not_read(names: list[str], roles: Mapping[str, str], options: Options) -> list[str]:
    """Notes of what labels say that may be of speakers, where nothing else is."""
    notes: list[str] = []
    for role in ("speaker", "gender", "language"):
        fields = (name.partition(".") for name in names)
        found = [f"{of}.{field}" for of, dot, field in fields if alike(field) in ROLES[role]]
        if found and role not in roles and role not in options:
            notes.append(
                f"{listing(found)} may be of others than the speakers, and is no {role} here; "
                f"where it is: --option {role}={found[0]}"
            )
    return notes


def _spans(pieces: Iterable[Piece]) -> Spans | None:
    spans = [(begin, end) for _, begin, end in pieces]
    begins, ends = [begin for begin, _ in spans], [end for _, end in spans]
    whole = {*spans} <= {(0.0, None)}
    return None if whole else Spans(begins, ends, [None] * len(spans), _HOW)


def _code(language: str) -> str:
    """A language as a code, which audformat knows of names: `deu` for `German`."""
    if is_missing(language) or is_language(language_tag(language)):
        return language
    audformat, _ = import_libraries()
    try:
        return str(audformat.utils.map_language(language))
    except ValueError:
        return language


def import_libraries() -> tuple[Any, Any]:
    """audformat and yaml, which it needs; MissingPackageError where they are not installed."""
    try:
        import audformat
        import yaml
    except ImportError as error:
        raise MissingPackageError(
            f"databases of audformat need it: {install_command('audformat')}"
        ) from error
    return audformat, yaml
