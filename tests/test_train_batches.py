import torch
from hypothesis import given
from hypothesis import strategies as st

from ser.train.batches import ordered_batches, shuffled_batches


@given(count=st.integers(1, 200), size=st.integers(1, 40), seed=st.integers(0, 9))
def test_an_epoch_sees_every_utterance_once_in_even_batches(count, size, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(300, generator=generator)[:count]
    lengths = torch.randint(1, 500, (300,), generator=generator)
    batches = list(shuffled_batches(rows, lengths, size, generator))
    assert sorted(torch.cat(batches).tolist()) == sorted(rows.tolist())
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


def test_batches_hold_similar_lengths_and_differ_between_epochs():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(20, 400, (1000,), generator=generator)
    rows = torch.arange(1000)
    first, second = (list(shuffled_batches(rows, lengths, 32, generator)) for _ in range(2))
    padded = sum(int(lengths[batch].max()) * len(batch) for batch in first)
    assert padded < 1.2 * int(lengths.sum())
    assert {tuple(sorted(b.tolist())) for b in first} != {tuple(sorted(b.tolist())) for b in second}
    again = list(shuffled_batches(rows, lengths, 32, torch.Generator().manual_seed(5)))
    same = list(shuffled_batches(rows, lengths, 32, torch.Generator().manual_seed(5)))
    assert all(torch.equal(a, b) for a, b in zip(again, same, strict=True))


def test_evaluation_batches_hold_every_row_once():
    lengths = torch.tensor([5, 1, 9, 3, 7])
    batches = list(ordered_batches(torch.tensor([4, 2, 1, 3]), lengths, 14))
    assert [batch.tolist() for batch in batches] == [[2], [4, 3], [1]]
    batches = list(ordered_batches(torch.arange(5), lengths, 1))
    assert [batch.tolist() for batch in batches] == [[2], [4], [0], [3], [1]]
