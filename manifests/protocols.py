"""The protocols by their names: how utterances are parted, and what is kept apart.

`paper`, `speaker` and `authors`; `group:COLUMN`, or several columns with plus signs between;
`folds:NAME`, folds that others published and that come in a file of splits; and `corpus`, where
whole corpora are trained on and others tested.
"""

from __future__ import annotations

import re
from typing import Literal

from ..errors import InputError, did_you_mean

PROTOCOLS: tuple[str, ...] = ("paper", "speaker", "authors")
"""Those that take no further word."""

GROUP, PUBLISHED, WHOLE = "group:", "folds:", "corpus"

Folds = int | Literal["all"] | None
"""How many folds of whole groups: a number, `all` for one group out, None for the usual number."""

FEWEST_FOLDS, MOST_FOLDS = 3, 1_000_000
"""Training, validation and test need one each."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def group_columns(protocol: str) -> tuple[str, ...]:
    """The columns that are named after `group:`; none of other protocols.

    >>> group_columns("group:speaker+sentence")
    ('speaker', 'sentence')
    """
    return tuple(protocol[len(GROUP) :].split("+")) if protocol.startswith(GROUP) else ()


def published_by(protocol: str) -> str:
    """The name after `folds:`; blank of other protocols."""
    return protocol[len(PUBLISHED) :] if protocol.startswith(PUBLISHED) else ""


def is_folds(protocol: str) -> bool:
    """Whether every repeat tests the same utterances: all folds one after the other, or all of a
    corpus."""
    return protocol in ("speaker", WHOLE) or protocol.startswith((GROUP, PUBLISHED))


def leaves_out(protocol: str) -> bool:
    """Whether a split may have utterances in none of its parts."""
    return protocol.startswith(PUBLISHED) or len(group_columns(protocol)) > 1


def check_protocol(protocol: str) -> None:
    """Raise InputError for what is no protocol; whether a corpus has the columns is not looked
    at."""
    if protocol in (*PROTOCOLS, WHOLE):
        return
    if protocol.startswith(PUBLISHED):
        if _NAME.fullmatch(protocol[len(PUBLISHED) :]):
            return
        raise InputError(
            f"protocol {protocol!r}: expected letters, digits and . _ - after {PUBLISHED}, as in "
            f"{PUBLISHED}emobox"
        )
    columns = group_columns(protocol)
    if not columns:
        hint = did_you_mean(protocol, PROTOCOLS)
        raise InputError(
            f"unknown protocol {protocol!r}{hint}; choose {', '.join(PROTOCOLS)}, or {GROUP}COLUMN "
            f"such as {GROUP}sentence or {GROUP}speaker+sentence"
        )
    if not all(columns) or len(set(columns)) < len(columns):
        raise InputError(
            f"protocol {protocol!r}: expected columns of the manifest with + between, each once, "
            f"as in {GROUP}speaker+sentence"
        )
    if "emotion" in columns:
        raise InputError(
            f"protocol {protocol!r}: an emotion that is in no training part cannot be learned; "
            "name another column"
        )


def check_folds_asked(protocol: str, folds: Folds) -> None:
    """Raise InputError for a number of folds that a protocol cannot have."""
    if folds is None:
        return
    if protocol != "speaker" and not group_columns(protocol):
        raise InputError(
            f"--folds {folds}: {protocol} has none to choose; it is for --protocol speaker and "
            f"{GROUP}COLUMN"
        )
    if folds != "all" and not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise InputError(
            f"--folds {folds}: expected all, or a number from {FEWEST_FOLDS}: training, validation "
            "and test need a fold each"
        )


def described(protocol: str) -> str:
    """How the parts of a protocol came about, to follow 'tested'; blank for what is not known."""
    if name := published_by(protocol):
        return f"in published folds, those of {name}"
    if columns := group_columns(protocol):
        return f"in folds that keep every {' and every '.join(columns)} in one part"
    return {
        "paper": "on parts drawn at random",
        "authors": "on parts drawn at random, 70/10/20, as the paper's authors did",
        "speaker": "in folds that keep every speaker in one part",
        WHOLE: "on whole corpora, of which nothing is trained on",
    }.get(protocol, "")
