"""`calibration.json`: the temperatures of a run, which a stranger may have written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from ...files import parse_json
from ..network.settings import Temperature

CALIBRATION = "calibration.json"

Temperatures = Mapping[tuple[int, int], Mapping[str, float]]
"""By repeat and fold, and corpus."""


class _Fold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repeat: int
    fold: int
    temperatures: dict[str, Temperature]


def temperatures_written(temperatures: Temperatures) -> list[dict[str, object]]:
    """What the file says, as plain values."""
    return [
        {"repeat": repeat, "fold": fold, "temperatures": dict(of_fold)}
        for (repeat, fold), of_fold in temperatures.items()
    ]


def read_temperatures(data: bytes, corpora: Collection[str]) -> Temperatures:
    """The inverse, of a run for these corpora.

    Raises:
        ValueError: it is no such file.
    """
    folds: Sequence[_Fold] = parse_json(data, list[_Fold], CALIBRATION)
    found = {(each.repeat, each.fold): each.temperatures for each in folds}
    if len(found) < len(folds):
        raise ValueError(f"{CALIBRATION} has a fold twice")
    if any(set(of_fold) != set(corpora) for of_fold in found.values()):
        raise ValueError(f"{CALIBRATION} is not of the corpora of the run")
    return found
