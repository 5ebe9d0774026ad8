import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.train import functionals as module
from ser.train.data import Packed, load_domain
from ser.train.encoding import Encoding
from ser.train.functionals import as_encoded, functionals, pooled


def one(frames):
    """Functionals of a single sequence (T, D)."""
    frames = torch.as_tensor(frames, dtype=torch.float32)
    return functionals(frames[None], torch.tensor([len(frames)]))[0]


def literal(frames):
    """The definition, one column at a time, in NumPy."""
    frames = np.repeat(frames, 3, axis=0) if len(frames) < 3 else frames
    return np.concatenate(
        [
            frames.mean(0),
            frames.std(0),
            np.sqrt(np.mean(np.diff(frames, axis=0) ** 2, axis=0)),
            *np.percentile(frames, [10, 50, 90], axis=0),
            *(part.mean(0) for part in np.array_split(frames, 3)),
        ]
    )


def test_functionals_worked_out_by_hand():
    frames = np.array([1, 2, 4, 4, 6, 7.0])
    expected = [
        4.0,
        math.sqrt(26 / 6),  # squares of -3 -2 0 0 2 3
        math.sqrt((1 + 4 + 0 + 4 + 1) / 5),
        *np.percentile(frames, [10, 50, 90]),
        1.5,
        4.0,
        6.5,
    ]
    assert one(frames[:, None]).tolist() == pytest.approx(expected)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_a_padded_batch_gives_what_each_sequence_gives(lengths, seed):
    random = np.random.default_rng(seed)
    sequences = [random.normal(size=(length, 3)).astype(np.float32) for length in lengths]
    frames = torch.zeros(len(lengths), max(lengths), 3)
    for row, sequence in enumerate(sequences):
        frames[row, : len(sequence)] = torch.from_numpy(sequence)
    found = functionals(frames, torch.tensor(lengths))
    moments = pooled(frames, torch.tensor(lengths))
    for row, sequence in enumerate(sequences):
        np.testing.assert_allclose(found[row], literal(sequence.astype(float)), atol=2e-5)
        expected = np.concatenate([sequence.mean(0, dtype=float), sequence.std(0, dtype=float)])
        np.testing.assert_allclose(moments[row], expected, atol=1e-6)


@pytest.mark.parametrize(("frames", "thirds"), [([[3.0]], [3, 3, 3]), ([[1.0], [3.0]], [1, 2, 3])])
def test_very_short_sequences_have_functionals_too(frames, thirds):
    values = one(frames)
    assert torch.isfinite(values).all()
    assert values[-3:].tolist() == thirds
    assert values[0] == np.mean(frames)


def test_a_domain_keeps_its_sequences_unless_functionals_are_asked_for(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    assert as_encoded(domain, Encoding("attention")) is domain
    assert as_encoded(domain, Encoding("functionals", ("mfcc",))).features["mfcc"].sequence
    encoded = as_encoded(domain, Encoding("functionals"))
    assert encoded.features["ge2e"] is domain.features["ge2e"]
    mfcc = encoded.features["mfcc"]
    assert (mfcc.sequence, mfcc.dim, mfcc.backbone) == (False, 9 * 5, "mfcc")
    frames = toy_cache.read(keys["mfcc"], manifest)[17]
    torch.testing.assert_close(mfcc.gather(torch.tensor([17]), 1)[0][0], one(frames))


def test_how_many_are_summarised_at_once_changes_nothing(monkeypatch):
    lengths = torch.randint(1, 30, (50,))
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    packed = Packed(torch.randn(int(offsets[-1]), 4).half(), offsets, True)
    together = module._as_vectors(packed, functionals).frames
    monkeypatch.setattr(module, "AT_ONCE", 300)
    torch.testing.assert_close(module._as_vectors(packed, functionals).frames, together)
