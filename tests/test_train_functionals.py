import math

import numpy as np
import pytest
import torch

from ser.train.data import load_domain
from ser.train.functionals import as_encoded, functionals


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
    assert functionals(torch.tensor(frames[:, None])).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("frames", "thirds"), [([[3.0]], [3, 3, 3]), ([[1.0], [3.0]], [1, 2, 3])])
def test_very_short_sequences_have_functionals_too(frames, thirds):
    values = functionals(torch.tensor(frames))
    assert torch.isfinite(values).all()
    assert values[-3:].tolist() == thirds
    assert values[0] == np.mean(frames)


def test_a_domain_keeps_its_sequences_unless_functionals_are_asked_for(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    assert as_encoded(domain, "attention") is domain
    encoded = as_encoded(domain, "functionals")
    assert encoded.features["ge2e"] is domain.features["ge2e"]
    mfcc = encoded.features["mfcc"]
    assert (mfcc.sequence, mfcc.dim, mfcc.backbone) == (False, 9 * 5, "mfcc")
    frames = torch.tensor(toy_cache.read(keys["mfcc"], manifest)[17])
    torch.testing.assert_close(mfcc.gather(torch.tensor([17]), 1)[0][0], functionals(frames))
