import numpy as np
import pytest
import torch

from ser.train.data import (
    Packed,
    load_domain,
    read_domain,
    statistics,
)


def packed(sequence=True):
    frames = torch.tensor([[1.0, 10], [2, 20], [3, 30], [4, 40], [5, 50], [6, 60]])
    offsets = torch.tensor([0, 2, 3, 6]) if sequence else torch.arange(7)
    return Packed(frames, offsets, sequence)


def test_features_can_be_made_of_arrays():
    arrays = [
        packed().frames[:2].numpy(),
        packed().frames[2:3].numpy(),
        packed().frames[3:].numpy(),
    ]
    made = Packed.of(arrays, "mfcc")
    assert torch.equal(made.frames, packed().frames)
    assert torch.equal(made.offsets, packed().offsets)
    assert (made.sequence, made.backbone, made.dim) == (True, "mfcc", 2)
    vectors = Packed.of([row.numpy() for row in packed().frames])
    assert torch.equal(vectors.frames, packed().frames)
    assert torch.equal(vectors.offsets, torch.arange(7))
    assert not vectors.sequence


def test_gather_pads_with_zeros():
    values, lengths = packed().gather(torch.tensor([2, 1]), longest=4)
    assert lengths.tolist() == [3, 1]
    assert values[..., 0].tolist() == [[4, 5, 6, 0], [3, 0, 0, 0]]
    assert values[..., 1].tolist() == [[40, 50, 60, 0], [30, 0, 0, 0]]


def test_gather_of_a_vector_has_no_time():
    values, lengths = packed(sequence=False).gather(torch.tensor([4, 0]), longest=1)
    assert values.tolist() == [[5, 50], [1, 10]]
    assert lengths.tolist() == [1, 1]


def test_half_precision_is_widened_in_the_batch():
    half = Packed(packed().frames.half(), packed().offsets, True)
    assert half.gather(torch.tensor([0]), 2)[0].dtype == torch.float32


def test_statistics_are_those_of_the_chosen_utterances():
    mean, deviation = statistics([(packed(), torch.tensor([0, 2]))])
    values = np.array([1, 2, 4, 5, 6])
    assert mean.tolist() == pytest.approx([values.mean(), 10 * values.mean()])
    assert deviation.tolist() == pytest.approx([values.std(), 10 * values.std()])


def test_a_constant_column_is_not_scaled_up():
    constant = Packed(torch.ones(6, 1), torch.tensor([0, 2, 3, 6]), True)
    assert statistics([(constant, torch.tensor([0, 1, 2]))])[1].tolist() == [1.0]


def test_mapped_features_are_the_same_and_stay_where_they_are(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    loaded = load_domain(toy_cache, manifest, keys)
    stored = {name: toy_cache.open(key, manifest) for name, key in keys.items()}
    mapped = read_domain(manifest, stored, mapped=True)
    assert mapped.mapped
    assert not loaded.mapped
    assert all(packed.frames.is_shared() for packed in loaded.features.values())
    moved = mapped.to(torch.device("meta"))
    assert moved.features["mfcc"].frames is mapped.features["mfcc"].frames
    rows = torch.tensor([7, 0, 59])
    for name, (values, lengths) in mapped.batch(rows).items():
        expected = loaded.batch(rows)[name]
        assert torch.equal(values, expected[0])
        assert torch.equal(lengths, expected[1])
    found, expected = (statistics([(d.features["mfcc"], rows)]) for d in (mapped, loaded))
    assert all(map(torch.equal, found, expected))


def test_a_domain_is_what_the_cache_holds(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    assert domain.labels == ("neutral", "happiness", "anger")
    assert [domain.labels[t] for t in domain.targets] == list(manifest.table["emotion"])
    rows = domain.rows(["u007", "u001"])
    batch = domain.batch(rows)
    features = toy_cache.read(keys["mfcc"], manifest)
    values, lengths = batch["mfcc"]
    for row, id in enumerate(("u007", "u001")):
        expected = features[features.ids.index(id)]
        assert lengths[row] == len(expected)
        np.testing.assert_array_equal(values[row, : len(expected)], expected)
    assert batch["ge2e"][0].shape == (2, 7)
    assert values.shape[1] == lengths.max()
