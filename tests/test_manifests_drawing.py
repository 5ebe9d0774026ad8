"""Drawing utterances by hashes, recordings together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ser.manifests.drawing import Drawn, _order


def drawn(*units):
    sizes = np.array([len(unit) for unit in units], np.int64)
    return Drawn(np.array([row for unit in units for row in unit], np.int64), sizes)


def test_what_is_too_large_is_passed_by():
    taken, left = drawn([4, 5], [0], [6, 7, 8], [1, 2], [3]).take(4)
    assert taken.tolist() == [4, 5, 0, 3]
    assert (left.rows.tolist(), left.sizes.tolist()) == ([6, 7, 8, 1, 2], [3, 2])


@given(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 40))
def test_units_are_taken_in_order_while_they_fit(sizes, count):
    bounds = np.cumsum([0, *sizes]).tolist()
    units = [list(range(bounds[i], bounds[i + 1])) for i in range(len(sizes))]
    expected, passed = [], []
    for unit in units:
        if len(expected) + len(unit) <= count:
            expected += unit
        else:
            passed.append(unit)
    taken, left = drawn(*units).take(count)
    assert taken.tolist() == expected
    assert left.rows.tolist() == [row for unit in passed for row in unit]
    assert left.sizes.tolist() == [len(unit) for unit in passed]


@given(st.lists(st.binary(min_size=32, max_size=32)), st.booleans())
def test_ranks_are_sorted_also_where_they_begin_alike(ranks, alike):
    ranks = [b"12345678" + rank[8:] for rank in ranks] if alike else ranks
    assert [ranks[place] for place in _order(ranks)] == sorted(ranks)
