"""Splits into training, validation and test part: a function of manifest, protocol and seed.

Order and balance come from SHA-256 of the seed and of names or audio hashes, so that a split is
the same on every machine, whatever the order of rows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

from ..errors import InputError, did_you_mean
from .corpora import CORPORA
from .manifest import Manifest
from .spellings import REMEDY, spelt_twice
from .unions import leaders

Protocol = Literal["paper", "speaker", "authors"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
PARTS = ("train", "validation", "test")

FOLDS = 5
FEWEST_GROUPS = 3
"""Training, validation and test need a group each."""


@dataclass(frozen=True)
class Split:
    """The utterance ids of the three parts, each sorted; `fold` counts from 0."""

    protocol: Protocol
    seed: int
    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> dict[str, tuple[str, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def make_splits(manifest: Manifest, protocol: str, seed: int) -> list[Split]:
    """Split a manifest: one split for `paper` and `authors`, one per fold for `speaker`.

    `paper`: random, 20 % test, of the rest 20 % validation (both rounded); speakers overlap.
    `authors`: random, 20 % test, 10 % validation, as the authors' released code has it.
    `speaker`: min(5, speakers) folds of whole speakers (IEMOCAP: of whole sessions); fold k is
    tested, fold k + 1 validates, the rest trains, so that every utterance is tested once.
    Copies of one recording always share a part.

    Raises:
        InputError: unknown protocol, or too few utterances or speakers for it.
    """
    if protocol == "paper":
        return [_random(manifest, "paper", seed, 0.2)]
    if protocol == "authors":
        return [_random(manifest, "authors", seed, 0.1 / 0.8)]
    if protocol == "speaker":
        return _speaker(manifest, seed)
    hint = did_you_mean(protocol, PROTOCOLS)
    raise InputError(f"unknown protocol {protocol!r}{hint}; choose {', '.join(PROTOCOLS)}")


def grouping(manifest: Manifest) -> str:
    """Name the column whose values the protocol `speaker` keeps apart: speaker or session.

    Raises:
        InputError: the manifest has no such column.
    """
    known = CORPORA.get(manifest.corpus)
    column = known.group if known else "speaker"
    if column not in manifest.table.columns:
        raise InputError(
            f"the folds of {manifest.corpus} are its {column}s, but its manifest has no column "
            f"{column!r}; have it built anew: `ser extract --corpus {manifest.corpus} --replace`"
        )
    return column


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _random(manifest: Manifest, protocol: Protocol, seed: int, validation: float) -> Split:
    units: dict[str, list[str]] = defaultdict(list)
    for name, recording in zip(manifest.ids, manifest.recordings, strict=True):
        units[recording].append(name)
    queue = [units[audio] for audio in sorted(units, key=lambda audio: _rank(seed, audio))]
    test, queue = _take(queue, round(0.2 * len(manifest)))
    held, queue = _take(queue, round(validation * (len(manifest) - len(test))))
    train = [name for unit in queue for name in unit]
    if not (train and held and test):
        raise InputError(
            f"{manifest.corpus} has {len(manifest)} utterances ({len(units)} different ones): "
            "too few for a training, a validation and a test part"
        )
    return sorted_split(protocol, seed, 0, train, held, test)


def _take(queue: Sequence[list[str]], count: int) -> tuple[list[str], list[list[str]]]:
    """Take units in order until they hold `count` utterances; pass by what is too large."""
    taken: list[str] = []
    left: list[list[str]] = []
    for unit in queue:
        if len(taken) + len(unit) <= count:
            taken += unit
        else:
            left.append(unit)
    return taken, left


def _speaker(manifest: Manifest, seed: int) -> list[Split]:
    column = grouping(manifest)
    _require_groups(manifest, column)
    groups = _connected(manifest, column)
    if len(groups) < FEWEST_GROUPS:
        raise InputError(
            f"{manifest.corpus} has {len(groups)} {column}s (those with copies of one recording "
            f"counted as one); the protocol 'speaker' needs at least {FEWEST_GROUPS}; "
            "use --protocol paper"
        )
    number = len(groups) if column == "session" else min(FOLDS, len(groups))
    folds: list[list[str]] = [[] for _ in range(number)]
    for name in sorted(groups, key=lambda name: _rank(seed, name)):
        # The smallest fold first: all folds get a group, and sizes stay near each other.
        min(folds, key=len).extend(groups[name])
    return [
        sorted_split("speaker", seed, k, chain(*turned[2:]), turned[1], turned[0])
        for k, turned in enumerate(folds[k:] + folds[:k] for k in range(number))
    ]


def _require_groups(manifest: Manifest, column: str) -> None:
    for needed in {"speaker": None, column: None}:
        values = list(map(str, manifest.table[needed]))
        for row, reason in spelt_twice(needed, values):
            raise InputError(f"{manifest.corpus}, {manifest.ids[row]}: {reason}. {REMEDY}")
        unknown = manifest.table["id"][manifest.table[needed] == ""]
        if len(unknown):
            raise InputError(
                f"the protocol 'speaker' needs every {needed}, but {len(unknown)} utterances of "
                f"{manifest.corpus} have none, such as {unknown.iloc[0]}; use --protocol paper"
            )


def _connected(manifest: Manifest, column: str) -> dict[str, list[str]]:
    """The ids of utterances in groups that share neither group, speaker nor recording with another,
    by the first group's name: a recording under two speakers joins them."""
    table = manifest.table.assign(recording=manifest.recordings)
    kinds = [table[kind] for kind in (column, "speaker", "recording")]
    nodes = [list(enumerate(map(str, row))) for row in zip(*kinds, strict=True)]
    leader = leaders((group, other) for group, *others in nodes for other in others)
    members: dict[str, list[str]] = defaultdict(list)
    for name, (group, *_) in zip(manifest.ids, nodes, strict=True):
        members[leader[group][1]].append(name)  # the smallest of all is a group, since they are 0
    return members


def sorted_split(protocol: Protocol, seed: int, fold: int, *parts: Iterable[str]) -> Split:
    """Make a split of its three parts, in the order of PARTS."""
    return Split(protocol, seed, fold, *(tuple(sorted(part)) for part in parts))
