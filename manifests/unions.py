"""What belongs together, where some pairs do: connected components."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T", str, tuple[int, str])


def leaders(pairs: Iterable[tuple[T, T]]) -> dict[T, T]:
    """Give each thing of the pairs the smallest of those that pairs connect it with.

    >>> sorted(leaders([("b", "c"), ("a", "b"), ("x", "y")]).items())
    [('a', 'a'), ('b', 'a'), ('c', 'a'), ('x', 'x'), ('y', 'x')]
    """
    leader: dict[T, T] = {}

    def find(thing: T) -> T:
        while leader.setdefault(thing, thing) != thing:
            leader[thing] = leader[leader[thing]]
            thing = leader[thing]
        return thing

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    return {thing: find(thing) for thing in leader}
