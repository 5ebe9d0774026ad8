import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser.train.network import losses
from ser.train.network.settings import AuxiliarySettings


def auxiliary(reduction="sum", exclude_self=False):
    return losses.AuxiliaryLoss(AuxiliarySettings(reduction, exclude_self))


def literal_loss(x, targets, classes, w=10.0, b=-5.0, exclude_self=False, fewest=6):
    """Equations 3 to 6, one sample and one centroid at a time."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    kept = [k for k in range(classes) if np.sum(targets == k) >= fewest]
    if len(kept) < 2:
        return 0.0
    total = 0.0
    for i in range(len(x)):
        if targets[i] not in kept:
            continue
        scores = {}
        for k in kept:
            members = [j for j in range(len(x)) if targets[j] == k]
            if exclude_self:
                members = [j for j in members if j != i]
            centroid = np.mean([x[j] for j in members], axis=0)
            scores[k] = w * (x[i] @ centroid) / np.linalg.norm(centroid) + b
        total -= math.log(
            math.exp(scores[targets[i]]) / sum(math.exp(score) for score in scores.values())
        )
    return total


def test_orthogonal_emotions_give_the_value_worked_out_by_hand():
    # Cosine 1 with the own centroid, 0 with the other: every sample costs log(1 + exp(-10)).
    x = torch.tensor([[2.0, 0.0]] * 6 + [[0.0, 3.0]] * 6)
    targets = torch.tensor([0] * 6 + [1] * 6)
    assert auxiliary()(x, targets, 2).item() == pytest.approx(
        12 * math.log1p(math.exp(-10)), rel=1e-3
    )


@given(
    seed=st.integers(0, 1000),
    counts=st.lists(st.integers(0, 9), min_size=2, max_size=4),
    exclude_self=st.booleans(),
)
def test_the_loss_is_the_literal_sum_over_samples(seed, counts, exclude_self):
    random = np.random.default_rng(seed)
    targets = random.permutation(np.repeat(np.arange(len(counts)), counts))
    if len(targets) == 0:
        return
    x = random.normal(size=(len(targets), 5))
    loss = auxiliary(exclude_self=exclude_self).double()
    found = loss(torch.tensor(x), torch.tensor(targets), len(counts)).item()
    expected = literal_loss(x, targets, len(counts), exclude_self=exclude_self)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_an_emotion_with_five_samples_is_left_out_and_one_with_six_counts():
    random = np.random.default_rng(0)
    x = torch.tensor(random.normal(size=(17, 4)))
    loss = auxiliary().double()
    five = torch.tensor([0] * 6 + [1] * 6 + [2] * 5)
    assert loss(x, five, 3).item() == pytest.approx(loss(x[:12], five[:12], 3).item())
    assert loss(x[:11], five[:11], 3).item() == 0  # 6 and 5: only one emotion left


def test_gradients_stay_finite_when_emotions_are_left_out():
    x = torch.randn(14, 4, requires_grad=True)
    targets = torch.tensor([0] * 6 + [1] * 6 + [2] * 2)
    loss = auxiliary()
    loss(x, targets, 4).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[12:].abs().max() == 0
    assert loss.w.grad is not None
    assert loss.w.grad.abs() > 0


def test_mean_is_the_sum_over_the_samples_that_count():
    x = torch.randn(15, 4)
    targets = torch.tensor([0] * 6 + [1] * 6 + [2] * 3)
    total = auxiliary("sum")(x, targets, 3)
    assert auxiliary("mean")(x, targets, 3).item() == pytest.approx(total.item() / 12, rel=1e-6)


def test_w_stays_positive():
    loss = auxiliary()
    with torch.no_grad():
        loss.w.fill_(-3.0)
    x = torch.tensor([[1.0, 0.0]] * 6 + [[0.0, 1.0]] * 6)
    targets = torch.tensor([0] * 6 + [1] * 6)
    assert loss(x, targets, 2).item() == pytest.approx(12 * math.log(2), rel=1e-5)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_the_similarity_matrix_is_the_literal_equation(exclude_self):
    random = np.random.default_rng(4)
    targets = np.repeat([0, 1, 2], [6, 7, 8])
    x = random.normal(size=(21, 5))
    loss = auxiliary(exclude_self=exclude_self).double()
    with torch.no_grad():
        loss.w.fill_(3.0)
        loss.b.fill_(-1.5)
    found, kept = loss.similarity(torch.tensor(x), torch.tensor(targets), 3)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for i in range(21):
        for k in range(3):
            others = [j for j in range(21) if targets[j] == k and not (exclude_self and j == i)]
            centroid = unit[others].mean(axis=0)
            cosine = unit[i] @ centroid / np.linalg.norm(centroid)
            assert found[i, k].item() == pytest.approx(3.0 * cosine - 1.5)
    assert kept.all()
