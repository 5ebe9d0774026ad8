"""Checked values: what a stranger's JSON may say, and what counts where it says nothing.

A check takes a value and returns it, or raises ValueError with what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Check(Protocol):
    """A default, and which other values are good."""

    @property
    def default(self) -> Any:
        """What counts where nothing is said."""

    def __call__(self, value: Any) -> Any:
        """Return a good value; raise ValueError, with what was expected, for another."""


@dataclass(frozen=True)
class Whole:
    """A whole number within limits; with `optional`, None too."""

    default: int | None
    most: int
    least: int = 1
    optional: bool = False

    def __call__(self, value: Any) -> int | None:
        if value is None and self.optional:
            return None
        good = isinstance(value, int) and not isinstance(value, bool)
        if not good or not self.least <= value <= self.most:
            raise ValueError(f"expected a whole number from {self.least} to {self.most}")
        return int(value)


@dataclass(frozen=True)
class Number:
    """A finite number within limits."""

    default: float
    least: float
    most: float

    def __call__(self, value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not self.least <= value <= self.most:  # NaN is in no range
            raise ValueError(f"expected a number from {self.least:g} to {self.most:g}")
        return float(value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool

    def __call__(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value


@dataclass(frozen=True)
class Word:
    """One of a few words, or None where that is one of them."""

    default: str | None
    words: tuple[str | None, ...]

    def __call__(self, value: Any) -> str | None:
        if not isinstance(value, str | None) or value not in self.words:
            raise ValueError(f"expected one of {', '.join(map(str, self.words))}")
        return value


@dataclass(frozen=True)
class Wholes:
    """Some whole numbers, each within limits."""

    default: tuple[int, ...]
    most: int
    longest: int = 16

    def __call__(self, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= self.longest:
            raise ValueError(f"expected 1 to {self.longest} whole numbers")
        one = Whole(None, self.most)
        return tuple(int(one(number) or 0) for number in value)


def read_settings(values: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """All settings that are known, as they are given or else by default; no others.

    Raises:
        ValueError: one has a value that makes no sense; the message says which.
    """
    settings = {}
    for name, check in checks.items():
        try:
            settings[name] = check(values[name]) if name in values else check.default
        except ValueError as error:
            raise ValueError(f"{name} is {_shown(values[name])}: {error}") from None
    return settings


def _shown(value: object) -> str:
    """A value for a message: in full only where it is short."""
    if isinstance(value, bool | str | float | None):
        return f"{value!r:.60}"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 63 else "beyond all measure"
    return f"a {type(value).__name__}"
