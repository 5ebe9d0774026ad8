import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ser.extract.batches import equal_lengths, similar_lengths

LENGTHS = st.lists(st.integers(1, 40), max_size=30)


def arrays(lengths):
    return [np.full(length, number, "f4") for number, length in enumerate(lengths)]


@given(LENGTHS, st.integers(1, 100))
def test_batches_are_full_but_not_too_full(lengths, rows):
    batches = list(similar_lengths(arrays(lengths), rows))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    sizes = [[lengths[i] for i in batch] for batch in batches]
    flat = [length for size in sizes for length in size]
    assert flat == sorted(lengths, reverse=True)
    assert all(len(size) == 1 or len(size) * size[0] <= rows for size in sizes)
    assert all((len(size) + 1) * size[0] > rows for size in sizes[:-1])


@given(LENGTHS)
def test_only_equal_lengths_go_together(lengths):
    groups = list(equal_lengths(arrays(lengths)))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert len(groups) == len(set(lengths))
    assert all(len({lengths[i] for i in group}) == 1 for group in groups)
