"""What models say of how they fuse features, as plain values that a stranger may have written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def check_structure(values: Any, features: Sequence[str]) -> None:
    """Raise ValueError unless it is what `structure` makes of a model of so many features."""
    if not isinstance(values, dict) or not values.keys() <= {"gate", "connections"}:
        raise ValueError("a structure is a gate and connections")
    gate = values.get("gate")
    if gate is not None:
        named = isinstance(gate, dict) and list(gate) == list(features)
        if not (named and all(map(_is_number, gate.values()))):
            raise ValueError("a gate has a weight for every feature")
    rows = values.get("connections")
    if rows is not None:
        size = len(features)
        square = isinstance(rows, list) and len(rows) == size
        square = square and all(isinstance(row, list) and len(row) == size for row in rows)
        if not (square and all(_is_number(value) for row in rows for value in row)):
            raise ValueError("connections are a square matrix over the features")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
