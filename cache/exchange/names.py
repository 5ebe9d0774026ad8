"""Which utterance is meant by a name that somebody else gave it: its id, or its path."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    from ...manifests import Manifest

Utterance = tuple[str, str]
"""Corpus and id."""

_DEEPEST = 64


class Names:
    """Finds utterances of some corpora by id, by path with or without its suffix, and by each of
    these below the name of the corpus.

    A path may have more before it, such as the root of the corpus where the features were made:
    the same before all of a corpus. A name is only ever looked up here, and never opened.
    """

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._known: dict[str, set[Utterance]] = {}
        self._before: dict[str, str] = {}
        for manifest in manifests:
            table = manifest.table[["id", "path"]]
            for id, path in table.itertuples(index=False, name=None):
                for form in _forms(id, path):
                    for name in (form, f"{manifest.corpus}/{form}"):
                        self._known.setdefault(name, set()).add((manifest.corpus, id))

    def find(self, name: str) -> Utterance | None:
        """The utterance that a name means; None for a name that means none.

        Raises:
            InputError: it can mean several, or lies below another folder than those before it.
        """
        parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
        if ".." in parts:
            return None
        for first in range(min(len(parts), _DEEPEST)):
            meant = self._known.get("/".join(parts[first:]))
            if meant is None:
                continue
            if len(meant) > 1:
                several = " and ".join(f"{corpus}/{id}" for corpus, id in sorted(meant)[:2])
                raise InputError(
                    f"is a name of {several}; name utterances CORPUS/ID, or import one corpus"
                )
            (utterance,) = meant
            before = "/".join(parts[:first])
            expected = self._before.setdefault(utterance[0], before)
            if before != expected:
                raise InputError(
                    f"lies below {before or 'nothing'!r}, and others of {utterance[0]} below "
                    f"{expected or 'nothing'!r}"
                )
            return utterance
        return None


def _forms(id: str, path: str) -> Iterator[str]:
    path = unicodedata.normalize("NFC", path)
    yield id
    yield path
    folder, slash, file = path.rpartition("/")
    if "." in file[1:]:
        yield folder + slash + file.rpartition(".")[0]
