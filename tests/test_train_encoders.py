import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ser.train.network.encoders import Attention, BiLSTM, SequenceEncoder, VectorEncoder, flip
from ser.train.network.recogniser import make_encoder
from ser.train.network.spec import FeatureShape


def test_attention_of_two_frames_worked_out_by_hand():
    attention = Attention(2, 4)
    with torch.no_grad():
        for linear in (attention.query, attention.key):
            linear.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [0, 0], [0, 0]]))
        attention.value.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0]]))
    state = torch.tensor([[2.0, 0.0]])
    outputs = torch.tensor([[[math.log(3), 0.0], [0.0, 5.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    # Scores 2 log 3 / sqrt(4) = log 3 and 0: weights 3/4 and 1/4; the third frame is padding.
    mixed = [0.75 * math.log(3), 0.25 * 5]
    expected = [mixed[0], mixed[1], sum(mixed), 0.0]
    assert attention(state, outputs, mask)[0].tolist() == pytest.approx(expected, rel=1e-5)


def literal_attention(attention, state, outputs):
    """Equations 1 and 2 with every frame projected, in NumPy."""
    wq, wk, wv = (
        layer.weight.detach().double().numpy().T
        for layer in (attention.query, attention.key, attention.value)
    )
    scores = (state @ wq) @ (outputs @ wk).T / math.sqrt(wk.shape[1])
    weights = np.exp(scores - scores.max())
    return weights / weights.sum() @ (outputs @ wv)


@given(seed=st.integers(0, 99), frames=st.integers(1, 30))
@settings(max_examples=20)
def test_attention_is_the_literal_equation(seed, frames):
    torch.manual_seed(seed)
    attention = Attention(6, 8)
    state, outputs = torch.randn(1, 6), torch.randn(1, frames, 6)
    expected = literal_attention(attention, state[0].double().numpy(), outputs[0].double().numpy())
    found = attention(state, outputs, torch.ones(1, frames, dtype=torch.bool))[0]
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-5)


def test_flip_reverses_each_sequence_within_its_length():
    x = torch.tensor([[[1.0], [2], [3], [0]], [[4.0], [5], [6], [7]]])
    flipped = flip(x, torch.tensor([3, 4]))[..., 0]
    assert flipped.tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]


def test_the_gradient_of_flip_is_that_of_what_it_does():
    x = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 1, 3])
    assert torch.autograd.gradcheck(lambda x: flip(x, lengths), (x,))


def test_bilstm_is_torch_s_packed_bidirectional_lstm():
    torch.manual_seed(0)
    reference = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    ours = BiLSTM(3, 4, 2)
    with torch.no_grad():
        for layer in range(2):
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(ours.ahead[layer], f"{part}_l0").copy_(
                    getattr(reference, f"{part}_l{layer}")
                )
                getattr(ours.back[layer], f"{part}_l0").copy_(
                    getattr(reference, f"{part}_l{layer}_reverse")
                )
    x, lengths = torch.randn(3, 7, 3), torch.tensor([7, 2, 5])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, (last, _) = reference(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    outputs, state = ours(x, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(outputs[row, :length], expected[row, :length])
    torch.testing.assert_close(state, torch.cat([last[-2], last[-1]], dim=-1))


def test_the_two_convolutions_are_added():
    torch.manual_seed(0)
    encoder = SequenceEncoder(3, 5, 4, 1)
    x = torch.randn(2, 9, 3)
    expected = (encoder.narrow(x.transpose(1, 2)) + encoder.wide(x.transpose(1, 2))).transpose(1, 2)
    seen = []
    encoder.lstm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    encoder(x, torch.tensor([9, 9]))
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize("name", ["mfcc", "wav2vec"])
def test_padding_and_neighbours_change_no_output(name):
    torch.manual_seed(0)
    encoder = make_encoder(FeatureShape(name, name, 24, True)).eval()
    utterances = [torch.randn(length, 24) for length in (1, 2, 40, 7, 123)]
    padded = nn.utils.rnn.pad_sequence(utterances, batch_first=True)
    padded = nn.functional.pad(padded, (0, 0, 0, 30))
    together = encoder(padded, torch.tensor([len(u) for u in utterances]))
    for row, utterance in enumerate(utterances):
        alone = encoder(utterance[None], torch.tensor([len(utterance)]))
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_sizes_are_the_paper_s():
    mfcc = make_encoder(FeatureShape("mfcc@3f2a", "mfcc", 24, True))
    assert isinstance(mfcc, SequenceEncoder)
    assert mfcc.narrow.weight.shape == (32, 24, 3)
    assert mfcc.wide.weight.shape == (32, 24, 5)
    assert [layer.hidden_size for layer in mfcc.lstm.ahead] == [64, 64]
    wav2vec = make_encoder(FeatureShape("wav2vec", "wav2vec", 512, True))
    assert isinstance(wav2vec, SequenceEncoder)
    assert wav2vec.narrow.weight.shape == (64, 512, 3)
    assert [layer.hidden_size for layer in wav2vec.lstm.back] == [128]
    assert wav2vec.attention.value.weight.shape == (256, 256)
    byol = make_encoder(FeatureShape("byol", "byol", 2048, False))
    assert isinstance(byol, VectorEncoder)
    assert [m.out_features for m in byol.layers if isinstance(m, nn.Linear)] == [512, 256]
