"""What architecture searches kept, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import msgspec

from ...errors import InputError
from .report import decimal
from .run import Run


class _Said(msgspec.Struct, frozen=True):
    """What `Searched.structure` says of one network."""

    connections: list[list[float]]
    undecided: float
    parameters: int


Kept = frozenset[tuple[int, int]]
"""The connections that are open: output and input of each."""


@dataclass(frozen=True)
class Structures:
    """What the networks of some runs keep for a corpus.

    Attributes:
        count: connections that are kept, on average.
        of: connections that there are.
        undecided: mean share of gates between .1 and .9 when the structure was frozen.
        parameters: of what is kept, on average.
        agreement: mean Jaccard index of what two networks keep that were trained on the same split;
            None where there are no two.
        shares: the share of the networks that keeps each connection, (outputs, inputs).
    """

    count: float
    of: int
    undecided: float
    parameters: float
    agreement: float | None
    shares: list[list[float]]


def structures(runs: Sequence[Run]) -> dict[str, Structures]:
    """By corpus, what networks of runs on the same splits keep; empty where nothing is searched.

    Raises:
        InputError: a run does not say it as a run writes it.
    """
    found: dict[str, dict[tuple[int, int], list[_Said]]] = {}
    for run in runs:
        for curves in run.history:
            for trained in curves.members:
                for corpus, said in trained.structure.items():
                    if "connections" in said:
                        places = found.setdefault(corpus, {})
                        place = places.setdefault((curves.repeat, curves.fold), [])
                        place.append(_said(run, said))
    return {corpus: _summary(list(places.values())) for corpus, places in found.items()}


def _said(run: Run, said: object) -> _Said:
    try:
        return msgspec.convert(said, _Said)
    except msgspec.ValidationError as error:
        raise InputError(f"{run.folder}: its history does not say what was kept: {error}") from None


def _summary(places: Sequence[Sequence[_Said]]) -> Structures:
    """Of networks, those of one split together."""
    all_of_them = [said for place in places for said in place]
    first = all_of_them[0].connections
    pairs = [
        pair for place in places for pair in combinations([kept(s.connections) for s in place], 2)
    ]
    return Structures(
        count=fmean(len(kept(said.connections)) for said in all_of_them),
        of=sum(map(len, first)),
        undecided=fmean(said.undecided for said in all_of_them),
        parameters=fmean(said.parameters for said in all_of_them),
        agreement=fmean(jaccard(*pair) for pair in pairs) if pairs else None,
        shares=[
            [
                fmean((output, input) in kept(said.connections) for said in all_of_them)
                for input in range(len(row))
            ]
            for output, row in enumerate(first)
        ],
    )


def kept(connections: Iterable[Iterable[float]]) -> Kept:
    """Those that are not shut, of xi (outputs, inputs)."""
    return frozenset(
        (output, input)
        for output, row in enumerate(connections)
        for input, xi in enumerate(row)
        if xi > 0
    )


def jaccard(one: Kept, other: Kept) -> float:
    """What two have in common, as a share of what either has; 1 of two that have nothing."""
    either = one | other
    return len(one & other) / len(either) if either else 1.0


def describe_structures(run: Run) -> str:
    """What a search that ends with a structure kept, a line for every corpus; blank for others."""
    settings = run.config.settings
    if settings is None or settings.search.freeze == 0:
        return ""
    lines = []
    for corpus, found in structures([run]).items():
        agreement = found.agreement
        agree = "" if agreement is None else f", agreement of networks {decimal(agreement)}"
        lines.append(
            f"{corpus}: {found.count:g} of {found.of} connections kept, "
            f"{found.parameters:,.0f} parameters, {decimal(found.undecided)} of the gates "
            f"undecided before{agree}."
        )
    return "\n".join(lines)
