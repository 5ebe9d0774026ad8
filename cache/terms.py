"""Under which terms a corpus is: kept beside its manifest, so that they travel with it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import InputError
from ..files import atomic_text, parse_json, read_regular
from .access import GONE, check_own, read_error, write_error

MOST_BYTES = 64 << 10


@dataclass(frozen=True)
class Terms:
    """What one needs to know before a corpus, or what was computed from it, is passed on.

    Attributes:
        licence: its name, or what it says in short; blank where nothing is known.
        url: where the corpus is to be had.
        licensees_only: whether only those who signed for it may have it.
    """

    licence: str = ""
    url: str = ""
    licensees_only: bool = False

    def __str__(self) -> str:
        only = "for licensees only" if self.licensees_only else ""
        return ", ".join(filter(None, [self.licence or "licence not known", only, self.url]))

    def to_json(self) -> str:
        """As people read it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def terms_file(corpus: str) -> str:
    """The name of the file below a cache."""
    return f"manifests/{corpus}.terms.json"


def parse_terms(data: bytes, where: str) -> Terms:
    """The terms in some bytes that a stranger may have made.

    Raises:
        InputError: they are none.
    """
    names = {field.name for field in fields(Terms)}
    try:
        unknown = parse_json(data[:MOST_BYTES], dict[str, object], where).keys() - names
        if unknown:
            raise ValueError(f"{where}: {min(unknown)[:80]!r} is unknown")
        terms = parse_json(data, Terms, where)
    except ValueError as error:
        raise InputError(f"{error}; expected {', '.join(sorted(names))}") from None
    if len(terms.licence) + len(terms.url) > 10_000:
        raise InputError(f"{where}: longer than any licence's name")
    return terms


def read_terms(folders: Sequence[Path], corpus: str) -> Terms | None:
    """Those in a cache; else those of a corpus that is known by name; None where nothing is known.

    Args:
        folders: of the cache; the first that has any counts.

    Raises:
        InputError: the file is no such file.
        SerError: it cannot be read.
    """
    from ..manifests import CORPORA

    for folder in folders:
        path = folder / terms_file(corpus)
        try:
            return parse_terms(read_regular(path, MOST_BYTES, folder), str(path))
        except OSError as error:
            if error.errno not in GONE or path.is_symlink():
                raise read_error(path, error) from error
    record = CORPORA.get(corpus) if corpus in CORPORA else None
    if record is None or not record.licence:
        return None
    return Terms(record.licence, record.url, record.licensees_only)


def save_terms(cache: Path, corpus: str, terms: Terms) -> None:
    """Lay them down beside the manifest.

    Raises:
        SerError: the cache cannot be written.
    """
    path = cache / terms_file(corpus)
    check_own(path.parent, cache)
    try:
        atomic_text(path, terms.to_json())
    except OSError as error:
        raise write_error(path.parent, error) from error


def keep_terms(cache: Path, corpus: str) -> None:
    """Lay down what is known of a corpus by its name, unless something lies there.

    Raises:
        SerError: the cache cannot be written.
    """
    if not os.path.lexists(cache / terms_file(corpus)) and (terms := read_terms([cache], corpus)):
        save_terms(cache, corpus, terms)
