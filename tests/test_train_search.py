import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.train.network.search import (
    BETA,
    DELTA,
    GAMMA,
    HardConcrete,
    LowRankTransitions,
    Transitions,
)


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


def test_a_search_can_begin_with_what_it_was_given_and_a_little_beside():
    torch.manual_seed(0)
    weight = Transitions(3, 3, 64, "small").weight.detach()
    beside = weight[~torch.eye(3, dtype=torch.bool)]
    assert all(torch.equal(weight[i, i], torch.eye(64)) for i in range(3))
    assert beside.std().item() == pytest.approx(0.1 / 8, rel=0.02)
    assert abs(beside.mean().item()) < 5e-4


@pytest.mark.parametrize("rank", [0, 2])
def test_the_normalised_search_is_the_literal_equation(rank):
    torch.manual_seed(1)
    transitions = (
        LowRankTransitions(2, 3, 5, rank, "small", normalise=True)
        if rank
        else Transitions(2, 3, 5, "small", normalise=True)
    ).double()
    v, xi = torch.randn(4, 3, 5).double(), torch.rand(2, 3).double()
    expected = np.zeros((4, 2, 5))
    for b, i, j in np.ndindex(4, 2, 3):
        if rank:
            w = (transitions.down[i, j] @ transitions.up[i, j]).detach().numpy() + (
                i == j
            ) * np.eye(5)
        else:
            w = transitions.weight[i, j].detach().numpy()
        moved = v[b, j].numpy() @ w
        expected[b, i] += xi[i, j].item() * moved / np.sqrt(np.mean(moved**2) + 1e-6)
    np.testing.assert_allclose(transitions(v, xi).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("init", ["linear", "small", "identity"])
def test_matrices_of_low_rank_are_the_literal_product(init):
    torch.manual_seed(2)
    transitions = LowRankTransitions(3, 3, 6, 2, init, normalise=False).double()
    v, xi = torch.randn(4, 3, 6).double(), torch.rand(3, 3).double()
    down, up = (
        each.detach().transpose(2, 3).numpy() for each in (transitions.down, transitions.up)
    )
    w = [[up[i, j] @ down[i, j] + (i == j) * np.eye(6) for j in range(3)] for i in range(3)]
    expected = literal_search(v.numpy(), xi.tolist(), w)
    np.testing.assert_allclose(transitions(v, xi).detach().numpy(), expected, atol=1e-12)
    if init != "linear":
        assert all(np.array_equal(w[i][i], np.eye(6)) for i in range(3))
    assert (init == "identity") == (not transitions.up.any())
    assert transitions.size_of_one == 2 * 2 * 6
    assert Transitions(2, 2, 6).size_of_one == 36


def test_a_matrix_of_low_rank_is_at_first_as_large_as_a_whole_one():
    torch.manual_seed(3)
    v, xi = torch.randn(64, 4, 256), 1 - torch.eye(4)
    whole = Transitions(4, 4, 256, "small")(v, xi)
    low = LowRankTransitions(4, 4, 256, 8, "small", normalise=False)(v, xi)
    assert low.std().item() == pytest.approx(whole.std().item(), rel=0.1)


def test_gates_that_are_held_are_exactly_open_or_shut_until_they_are_released():
    gates = HardConcrete(2, 2, kappa=0.5).train()
    kept = torch.tensor([[True, False], [False, True]])
    gates.hold(kept)
    assert torch.equal(gates(), kept.float())
    assert torch.equal(gates.eval()(), kept.float())
    assert not gates.train()().requires_grad
    again = HardConcrete(2, 2).eval()  # as of a run folder
    again.load_state_dict(gates.state_dict())
    assert torch.equal(again(), kept.float())
    gates.release()
    assert gates.log_kappa.tolist() == [[pytest.approx(math.log(0.5))] * 2] * 2
    assert not torch.equal(gates(), gates())


def test_released_gates_have_noise_of_their_own_for_every_utterance():
    gates = HardConcrete(2, 3, kappa=0.3).train()
    assert gates(5).shape == (2, 3)  # the paper's: one draw for a batch
    gates.hold(torch.ones(2, 3, dtype=torch.bool))
    assert gates(5).shape == (2, 3)
    gates.release()
    torch.manual_seed(0)
    drawn = gates(4000)
    assert drawn.shape == (4000, 2, 3)
    share = gates.expected_l0().item() / 6
    assert (drawn > 0).float().mean().item() == pytest.approx(share, abs=0.01)
    assert gates.eval()(5).shape == (2, 3)


@pytest.mark.parametrize(("rank", "normalise"), [(0, False), (0, True), (2, False), (2, True)])
def test_utterances_with_gates_of_their_own_are_as_if_each_were_alone(rank, normalise):
    torch.manual_seed(4)
    if rank:
        transitions = LowRankTransitions(2, 3, 5, rank, "small", normalise)
    else:
        transitions = Transitions(2, 3, 5, "small", normalise)
    v, xi = torch.randn(4, 3, 5), torch.rand(4, 2, 3)
    alone = [transitions(v[b : b + 1], xi[b]) for b in range(4)]
    torch.testing.assert_close(transitions(v, xi), torch.cat(alone))


def test_what_was_undecided_is_known_when_gates_are_held():
    gates = HardConcrete(1, 4)
    with torch.no_grad():  # settled: 0, .111, .95, 1
        gates.log_kappa.copy_(torch.tensor([[-4.0, -2.2, 0.0, 3.0]]))
    assert gates.share_undecided() == 0.25
    assert gates.open().tolist() == [[False, False, True, True]]
    gates.hold(gates.open())
    assert gates.undecided == 0.25
    assert gates.share_undecided() == 0


def test_the_share_of_open_gates_is_0_where_all_are_clamped_shut_and_1_where_open():
    gates = HardConcrete(2, 3)
    for log_kappa, share in ((-4.6, 0), (4.6, 1)):
        with torch.no_grad():
            gates.log_kappa.fill_(log_kappa)
        assert gates.share().item() == pytest.approx(share, abs=1e-6)


def test_gates_are_clamped_where_they_are_settled_and_can_come_back():
    gates = HardConcrete(1, 3)
    with torch.no_grad():
        gates.log_kappa.copy_(torch.tensor([[-9.0, 1.5, 9.0]]))
    gates.clamp()
    assert gates.log_kappa.tolist() == [[pytest.approx(-4.6), 1.5, pytest.approx(4.6)]]
    assert gates.settled()[0, 0] == 0
    assert gates.settled()[0, 2] == 1
    gates.expected_l0().backward()
    assert (gates.log_kappa.grad > 0).all()
