"""Databases of audformat: a header, `db.yaml`, and tables, `db.<table>.csv` or `.parquet`.

The library makes its objects, but is given neither the header as YAML, of which it would run what
stands there, nor pickled tables.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ...errors import InputError, MissingPackageError, SerError, install_command, listing
from ...files import open_regular, read_regular
from ..pieces import Spans
from ..tables import Table
from .columns import as_table, as_text, find_roles
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
    names, schemes = _names(database)
    roles = find_roles(list(dict.fromkeys((*names, *schemes))), options, where)
    label = roles["label"]
    frame = _labels(database, label, options, where)
    files = list(map(str, frame.index.get_level_values("file")))
    columns = {label: list(map(as_text, frame[label].tolist()))}
    for name in dict.fromkeys((*names, *roles.values())):
        if name not in columns and (cells := _cells(database, name, files)):
            columns[name] = cells
    notes: list[str] = []
    if left := [name for name in names if name not in columns]:
        notes.append(f"what has not one value for each file was left out: {listing(left)}")
    if "split" not in columns and (splits := _splits(database, files)):
        columns["split"] = splits
    roles = {role: column for role, column in roles.items() if column in columns}
    if column := roles.get("language"):
        short = {code: short_code(code) for code in {*columns[column]}}
        columns[column] = [short[code] for code in columns[column]]
    else:
        columns["language"] = [short_language(database)] * len(files)
        roles["language"] = "language"
    table = {"path": files} | as_table(columns, roles)
    licence = as_text(database.license)
    return Table(where, table, range(1, len(files) + 1), "row", notes, licence, _spans(frame))


def _names(database: Any) -> tuple[list[str], list[str]]:
    """What columns, and what labels of their schemes, say of files; and the schemes themselves."""
    names: list[str] = []
    schemes: list[str] = []
    for table in database.tables.values():
        names += table.columns
        schemes += [each.scheme_id for each in table.columns.values() if each.scheme_id]
    for scheme in (database.schemes[name] for name in dict.fromkeys(schemes)):
        if scheme.uses_table:
            names += database.misc_tables[scheme.labels].columns
        elif isinstance(scheme.labels, dict):
            names += [
                name for said in scheme.labels.values() if isinstance(said, dict) for name in said
            ]
    return list(dict.fromkeys(names)), schemes


def _labels(database: Any, label: str, options: Options, where: str) -> Any:
    """The emotions by file, or by file, start and end."""
    table = options.get("table")
    if table and table not in database.tables:
        raise InputError(
            f"{where}: has no table {table!r}; there are {listing(database.tables, 20)}"
        )
    try:
        return database.get(label, tables=table)
    except (ValueError, TypeError) as error:
        tables = [
            name
            for name, each in database.tables.items()
            if any(label in (id, column.scheme_id) for id, column in each.columns.items())
        ]
        raise InputError(
            f"{where}: {label} is not one for each file, as columns of several raters or tables "
            f"differ ({str(error).splitlines()[0]:.200}); choose a column or a table: --option "
            f"label=COLUMN, --option table={'|'.join(tables)}"
        ) from error


def _spans(frame: Any) -> Spans | None:
    if "start" not in frame.index.names:
        return None
    starts, stops = (frame.index.get_level_values(level) for level in ("start", "end"))
    begins = [start.total_seconds() for start in starts]
    ends = [stop.total_seconds() if stop == stop else None for stop in stops]  # NaT: at the end
    return Spans(begins, ends, [None] * len(begins), _HOW)


def _cells(database: Any, name: str, files: list[str]) -> list[str]:
    """What is said of each file under a name; nothing where it is not one for each."""
    try:
        frame = database.get(name)
    except (ValueError, TypeError):
        return []
    series = frame[name].dropna()
    index = series.index.get_level_values("file")
    if not len(series) or index.has_duplicates:
        return []
    said = dict(zip(map(str, index), series.tolist(), strict=True))
    return [_text(said.get(file)) for file in files]


def _text(value: Any) -> str:
    seconds = getattr(value, "total_seconds", None)
    return as_text(seconds() if seconds else value)


def _splits(database: Any, files: list[str]) -> list[str]:
    """The split of each file; nothing where the tables have none."""
    splits: dict[str, str] = {}
    for table in database.tables.values():
        if table.split_id is not None:
            for file in table.files:
                splits.setdefault(str(file), table.split_id)
    return [splits.get(file, "") for file in files] if splits else []


def short_language(database: Any) -> str:
    """The language of a database; blank for none or several."""
    return short_code(str(database.languages[0])) if len(database.languages) == 1 else ""


def short_code(code: str) -> str:
    """A language as a short tag: `de` for audformat's `deu`. What is no language stays as it is."""
    from iso639 import Lang
    from iso639.exceptions import InvalidLanguageValue

    try:
        return Lang(code).pt1 or code
    except InvalidLanguageValue:
        return code


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
