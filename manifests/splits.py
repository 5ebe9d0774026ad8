"""Splits into training, validation and test part: a function of manifest, protocol and seed."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .drawing import shuffled_recordings
from .folds import VALIDATION, fold_parts
from .manifest import Manifest
from .protocols import PUBLISHED, WHOLE, Folds, check_folds_asked, check_protocol

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """The utterance ids of the three parts, each sorted; `fold` counts from 0.

    Utterances of the corpus that are in none of them are not used.
    """

    protocol: str
    seed: int
    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def restricted(self, ids: Set[str]) -> Split:
        """The same of some of the utterances."""
        parts = (tuple(id for id in part if id in ids) for part in self.parts().values())
        return Split(self.protocol, self.seed, self.fold, *parts)


def make_splits(manifest: Manifest, protocol: str, seed: int, folds: Folds = None) -> list[Split]:
    """Split a manifest: one split for `paper` and `authors`, one per fold for the others.

    `paper`: random, 20 % test, of the rest 20 % validation (both rounded); speakers overlap.
    `authors`: random, 20 % test, 10 % validation, as the authors' released code has it.
    `speaker`: min(5, speakers) folds of whole speakers (IEMOCAP: of whole sessions); fold k is
    tested, fold k + 1 validates, the rest trains, so that every utterance is tested once.
    `group:COLUMN`, `group:COLUMN+COLUMN`: likewise by any column, see `fold_parts`.
    Copies of one recording always share a part.

    Args:
        folds: how many, where there are folds; None: five, and of IEMOCAP its sessions.

    Raises:
        InputError: unknown protocol, no such column, or too few utterances or groups for it.
    """
    check_protocol(protocol)
    check_folds_asked(protocol, folds)
    if protocol == "paper":
        return [_random(manifest, "paper", seed, 0.2)]
    if protocol == "authors":
        return [_random(manifest, "authors", seed, 0.1 / 0.8)]
    if protocol.startswith(PUBLISHED):
        raise InputError(
            f"protocol {protocol!r}: its folds come in a file; make it with `ser split import`, "
            "and name it with --split"
        )
    if protocol == WHOLE:
        raise InputError(
            f"protocol {protocol!r}: name the corpora, with --train-on A,B --test-on C"
        )
    parts = fold_parts(manifest, protocol, seed, folds)
    return [sorted_split(protocol, seed, number, *each) for number, each in enumerate(parts)]


def split_of_whole(manifest: Manifest, seed: int, tested: bool) -> Split:
    """The split of a corpus that is tested as a whole, or trained on as a whole.

    What is trained on has a validation part: the speakers of a fold of five, or, where speakers
    are not known or fewer than three, a fifth of the utterances, drawn at random.
    """
    if tested:
        return sorted_split(WHOLE, seed, 0, (), (), manifest.ids)
    try:
        held = fold_parts(manifest, "speaker", seed, None)[0][2]
    except InputError:
        rows, _ = shuffled_recordings(manifest, seed).take(round(VALIDATION * len(manifest)))
        held = manifest.ids_at(rows)
    train = set(manifest.ids).difference(held)
    return sorted_split(WHOLE, seed, 0, train, held, ())


def _random(manifest: Manifest, protocol: str, seed: int, validation: float) -> Split:
    drawn = shuffled_recordings(manifest, seed)
    test, rest = drawn.take(round(0.2 * len(manifest)))
    held, left = rest.take(round(validation * (len(manifest) - len(test))))
    parts = [manifest.ids_at(np.sort(rows)) for rows in (left.rows, held, test)]
    if not all(parts):
        raise InputError(
            f"{manifest.corpus} has {len(manifest)} utterances ({len(drawn.sizes)} different "
            "ones): too few for a training, a validation and a test part"
        )
    return sorted_split(protocol, seed, 0, *parts)


def sorted_split(protocol: str, seed: int, fold: int, *parts: Iterable[str]) -> Split:
    """Make a split of its three parts, in the order of PARTS."""
    return Split(protocol, seed, fold, *(tuple(sorted(part)) for part in parts))
