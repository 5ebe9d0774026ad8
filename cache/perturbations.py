"""Perturbations: ways to change a recording so that there is more to train on, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import InputError

KINDS: Mapping[str, tuple[float, float, str]] = {
    "speed": (0.5, 2.0, "times as fast, and as high"),
    "pitch": (-12.0, 12.0, "semitones higher, as fast"),
    "noise": (0.0, 60.0, "dB of signal over white noise"),
}
"""The least and the greatest amount of each, and what an amount is."""

NOTHING: Mapping[str, float] = {"speed": 1.0, "pitch": 0.0}
"""Amounts that change nothing."""

DECIMALS = 3
"""Of an amount; more make no difference that is heard."""

_NAME = re.compile(r"([a-z]+)([+-]?(?:\d+\.?\d*|\.\d+))")


class Perturbation(NamedTuple):
    """One way, such as `speed0.9`; two of one name change the same recording alike."""

    kind: str
    amount: float

    def __str__(self) -> str:
        return f"{self.kind}{self.amount:g}"

    @classmethod
    def parse(cls, text: str) -> Perturbation:
        """Read a name.

        >>> str(Perturbation.parse("speed.90"))
        'speed0.9'

        Raises:
            InputError: it is none, or beyond what speech bears.
        """
        match = _NAME.fullmatch(text.strip())
        if match is None or match[1] not in KINDS:
            raise InputError(
                f"perturbation {text!r}: expected {' or '.join(KINDS)} and a number, such as "
                "speed0.9, pitch-2 or noise20"
            )
        kind, amount = match[1], round(float(match[2]), DECIMALS) + 0.0  # -0 is 0
        low, high, what = KINDS[kind]
        if not low <= amount <= high or amount == NOTHING.get(kind):
            but = f", but not {NOTHING[kind]:g}" if kind in NOTHING else ""
            raise InputError(
                f"perturbation {text!r}: {kind} is from {low:g} to {high:g} {what}{but}"
            )
        return cls(kind, amount)


def perturbations(text: str) -> tuple[str, ...]:
    """The canonical names in a text of some with commas between; none in one that is blank.

    >>> perturbations("speed.9, noise20")
    ('speed0.9', 'noise20')

    Raises:
        InputError: as `Perturbation.parse`, or one is there twice.
    """
    names = tuple(str(Perturbation.parse(name)) for name in text.split(",")) if text.strip() else ()
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"perturbation {twice}: is named twice")
    return names
