import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.train.network.search import BETA, DELTA, GAMMA, HardConcrete, Transitions


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def literal_sample(u, kappa):
    """Equation 9 for one gate, with beta inside the sigmoid."""
    s = sigmoid((math.log(u) - math.log(1 - u) + math.log(kappa)) / 0.9)
    return min(1.0, max(0.0, s * (2 - -0.1) + -0.1))


def literal_search(v, xi, w):
    """Equation 8, one connection and one utterance at a time: v (B, M, d), w[i][j] (d, d)."""
    u = np.zeros((len(v), len(xi), v.shape[2]))
    for b in range(len(v)):
        for i in range(len(xi)):
            for j in range(v.shape[1]):
                u[b, i] += xi[i][j] * (w[i][j] @ v[b, j])
    return u


def test_the_constants_are_the_paper_s():
    assert (BETA, GAMMA, DELTA) == (0.9, -0.1, 2.0)


@given(u=st.floats(1e-4, 1 - 1e-4), log_kappa=st.floats(-6, 6))
def test_a_sample_is_the_literal_equation(u, log_kappa):
    gates = HardConcrete(1, 1).double()
    with torch.no_grad():
        gates.log_kappa.fill_(log_kappa)
    found = gates.sample(torch.tensor([[u]], dtype=torch.double)).item()
    assert found == pytest.approx(literal_sample(u, math.exp(log_kappa)), abs=1e-9)


@given(log_kappa=st.floats(-6, 6))
def test_at_test_time_there_is_no_noise(log_kappa):
    gates = HardConcrete(1, 1).double().eval()
    with torch.no_grad():
        gates.log_kappa.fill_(log_kappa)
    expected = min(1.0, max(0.0, sigmoid(log_kappa) * 2.1 - 0.1))
    assert gates().item() == gates().item() == pytest.approx(expected, abs=1e-9)


def test_gates_can_be_shut_and_fully_open():
    gates = HardConcrete(1, 2).eval()
    with torch.no_grad():
        gates.log_kappa.copy_(torch.tensor([[-4.0, 4.0]]))
    assert gates().tolist() == [[0.0, 1.0]]


def test_noise_is_fresh_in_every_pass_of_training_and_follows_the_distribution():
    torch.manual_seed(0)
    gates = HardConcrete(1, 1, kappa=0.1).train()
    drawn = torch.stack([gates() for _ in range(4000)])
    assert len(torch.unique(drawn)) > 100
    # The share of draws that are not 0 is the expected L0.
    assert (drawn > 0).float().mean().item() == pytest.approx(gates.expected_l0().item(), abs=0.03)


def test_expected_l0_is_the_literal_sum():
    gates = HardConcrete(2, 3)
    with torch.no_grad():
        gates.log_kappa.copy_(torch.tensor([[-2.0, -1, 0], [1, 2, 3]]))
    expected = sum(sigmoid(k - 0.9 * math.log(0.1 / 2)) for k in (-2, -1, 0, 1, 2, 3))
    assert gates.expected_l0().item() == pytest.approx(expected)


def test_kappa_has_a_gradient():
    gates = HardConcrete(2, 2)
    gates.sample(torch.full((2, 2), 0.2)).sum().backward()
    assert (gates.log_kappa.grad > 0).all()


@given(seed=st.integers(0, 99), outputs=st.integers(1, 4), inputs=st.integers(1, 4))
@settings(max_examples=20)
def test_the_search_is_the_literal_equation(seed, outputs, inputs):
    torch.manual_seed(seed)
    transitions = Transitions(outputs, inputs, 5).double()
    v = torch.randn(3, inputs, 5, dtype=torch.double)
    xi = torch.rand(outputs, inputs, dtype=torch.double)
    expected = literal_search(
        v.numpy(), xi.tolist(), transitions.weight.detach().transpose(2, 3).numpy()
    )
    np.testing.assert_allclose(transitions(v, xi).detach().numpy(), expected, atol=1e-12)


def test_a_search_can_begin_with_what_it_was_given():
    v = torch.randn(4, 3, 6)
    open_gates = torch.ones(3, 3)
    torch.testing.assert_close(Transitions(3, 3, 6, "identity")(v, open_gates), v)
