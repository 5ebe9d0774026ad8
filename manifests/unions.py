"""What belongs together, where some pairs do: connected components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt


def leaders(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each thing of the pairs the smallest of those that pairs connect it with.

    >>> sorted(leaders([("b", "c"), ("a", "b"), ("x", "y")]).items())
    [('a', 'a'), ('b', 'a'), ('c', 'a'), ('x', 'x'), ('y', 'x')]
    """
    leader: dict[str, str] = {}

    def find(thing: str) -> str:
        while leader.setdefault(thing, thing) != thing:
            leader[thing] = leader[leader[thing]]
            thing = leader[thing]
        return thing

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    return {thing: find(thing) for thing in leader}


def first_connected(
    group: npt.NDArray[np.int64], others: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Give each group the first of those that it is connected with, by rows that share something.

    Args:
        group: of every row, from 0.
        others: of every row what else it has, each numbered from 0.

    >>> first_connected(np.array([0, 1, 2, 2]), [np.array([0, 1, 1, 2])]).tolist()
    [0, 1, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = int(group.max()) + 1
    starts = np.cumsum([groups, *(int(other.max()) + 1 for other in others)])
    ends = np.concatenate([start + other for start, other in zip(starts, others, strict=False)])
    edges = (np.ones(len(ends), np.int8), (np.tile(group, len(others)), ends))
    graph = coo_array(edges, shape=(int(starts[-1]),) * 2)
    part = connected_components(graph, directed=False)[1][:groups]
    _, first, numbers = np.unique(part, return_index=True, return_inverse=True)
    return first[numbers]
