"""Rules for the names of corpora and utterances."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

from ..errors import InputError
from .missing import LANGUAGES, is_missing
from .text import plain

_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows the first dot."""

_CORPUS = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


def problem_with_corpus_name(name: str) -> str | None:
    """Say why `name` cannot name a corpus, and so its files in a cache; None if it can."""
    if _CORPUS.fullmatch(name) and not _DEVICE.fullmatch(name):
        return None
    return (
        f"{name!r} cannot name a corpus: use up to 64 lower-case letters, digits, '-' and '_', "
        "beginning with a letter or digit, and no Windows device name such as 'con'"
    )


def problem_with_id(name: str) -> str | None:
    """Say why `name` cannot be an utterance id, a file name on every system; None if it can."""
    if _ID.fullmatch(name) and not _DEVICE.fullmatch(name):
        return None
    return f"{name!r} is no id: use up to 128 letters, digits, '-', '_' and '.'"


def problem_with_language(code: str) -> str | None:
    """Say why `code` is no language tag in lower case such as `de`, `pt-br`, `yue`.

    A code that tables write for "not known" (`nan`, `na`, `nil`, `und`) is none.
    """
    if not _LANGUAGE.fullmatch(code):
        return f"{code!r} is no language code: use one such as de, fr, pt or yue"
    if code not in LANGUAGES and not is_missing(code):
        return None
    return (
        f"{code!r} is what tables write where the language is not known; if the language of that "
        f"code is meant, add its country, as in {'nan-tw' if code == 'nan' else f'{code}-xx'!r}"
    )


def is_corpus_name(name: str) -> bool:
    """Whether `name` can name a corpus."""
    return problem_with_corpus_name(name) is None


def is_language(code: str) -> bool:
    """Whether `code` is a language tag in lower case."""
    return problem_with_language(code) is None


def check_corpus_name(name: str) -> None:
    """Raise InputError unless `name` can name a corpus."""
    if problem := problem_with_corpus_name(name):
        raise InputError(problem)


def language_tag(code: str) -> str:
    """A language code as a tag in lower case: `pt-br` for `pt_BR`."""
    return plain(code).lower().replace("_", "-")


def id_from_path(path: str) -> str:
    """Make an utterance id of a relative path without its suffix: `a/b 1.wav` gives `a-b-1-<hash>`.

    Folders are joined with '-'. Where other characters have to go, eight digits of the path's
    hash keep apart what would look the same. Accents may be composed or not: the id is that of the
    composed path (NFC).
    """
    return id_from_form(unicodedata.normalize("NFC", path))


def id_from_form(path: str) -> str:
    """The id that a path gave when its Unicode form made a difference; see `id_from_path`."""
    stem = path.rsplit(".", 1)[0] if "." in path.rsplit("/", 1)[-1][1:] else path
    return _id_of(stem.replace("/", "-"), path)


def id_from_name(name: str) -> str:
    """The id that a name of somebody's is, or gives if it can be none: `a b` gives `a-b-<hash>`."""
    if problem_with_id(name) is None:
        return name
    composed = unicodedata.normalize("NFC", name)
    return _id_of(composed, composed)


def _id_of(name: str, whole: str) -> str:
    """A name if it is an id, else what is left of it, and digits that stand for `whole`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    if plain == name and problem_with_id(plain) is None:
        return plain
    digits = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[-100:].strip('-.') or 'utterance'}-{digits}"


def duplicates(ids: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Give the places of ids that stand before, and where: names of one file on some systems."""
    lowered = [name.lower() for name in ids]
    if len(set(lowered)) == len(lowered):
        return
    first: dict[str, int] = {}
    for place, name in enumerate(lowered):
        before = first.setdefault(name, place)
        if before != place:
            yield place, before
