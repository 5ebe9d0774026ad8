import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.train.data import Packed, load_domain
from ser.train.encoding import SUMMARIES, Encoding
from ser.train.functionals import VECTORS, functionals, pooled, vectors


def literal(frames):
    """The definition."""
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
        *(1.5, 4.0, 6.5),  # 1 + .5 x (2 - 1) and so on
        *(1.5, 4.0, 6.5),
    ]
    assert functionals(frames[:, None]).tolist() == pytest.approx(expected)
    assert pooled(frames[:, None]).tolist() == pytest.approx([4.0, math.sqrt(26 / 6)])


@given(
    length=st.integers(1, 40),
    dtype=st.sampled_from([np.float16, np.float32]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_they_are_the_definition_in_double_precision(length, dtype, seed):
    frames = np.random.default_rng(seed).normal(5, 3, size=(length, 3)).astype(dtype)
    found = functionals(frames)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, literal(frames.astype(float)), rtol=2e-7, atol=1e-9)
    moments = pooled(frames)
    assert moments.dtype == np.float64
    expected = [frames.mean(0, dtype=float), frames.std(0, dtype=float)]
    np.testing.assert_allclose(moments, np.concatenate(expected), rtol=1e-12, atol=1e-12)
    assert {name: len(VECTORS[name](frames)) // 3 for name in VECTORS} == SUMMARIES


@pytest.mark.parametrize(("frames", "thirds"), [([[3.0]], [3, 3, 3]), ([[1.0], [3.0]], [1, 2, 3])])
def test_very_short_sequences_have_functionals_too(frames, thirds):
    values = functionals(np.array(frames))
    assert np.isfinite(values).all()
    assert values[-3:].tolist() == thirds
    assert values[0] == np.mean(frames)


def test_a_domain_keeps_its_sequences_unless_functionals_are_asked_for(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    assert domain.encoded(Encoding("attention")) is domain
    assert domain.encoded(Encoding("functionals", ("mfcc",))).features["mfcc"].sequence
    encoded = domain.encoded(Encoding("functionals"))
    assert encoded.features["ge2e"] is domain.features["ge2e"]
    mfcc = encoded.features["mfcc"]
    assert (mfcc.sequence, mfcc.dim, mfcc.backbone) == (False, 9 * 5, "mfcc")
    frames = toy_cache.read(keys["mfcc"], manifest)[17]
    found = mfcc.gather(torch.tensor([17]), 1)[0][0]
    np.testing.assert_array_equal(found.numpy(), functionals(frames))


def test_every_utterance_is_summarised_alone():
    random = np.random.default_rng(0)
    sequences = [random.normal(size=(n, 4)).astype(np.float16) for n in (5, 1, 30, 2, 12)]
    found = Packed.of(sequences, "x").summarised("functionals")
    assert (found.sequence, found.backbone, found.lengths.tolist()) == (False, "x", [1] * 5)
    np.testing.assert_array_equal(found.frames.numpy(), vectors(sequences, "functionals"))
    np.testing.assert_array_equal(found.frames[2].numpy(), functionals(sequences[2]))
