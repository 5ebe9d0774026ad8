"""wav2vec 1.0 against a second, plain reading of the published architecture, and odd files."""

import math
import os
import shutil
from argparse import Namespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ser.errors import AudioError, InputError, MissingWeightsError, SerError
from ser.extract import make_backbone
from ser.extract.backbones.wav2vec_model import Wav2VecModel
from ser.extract.weights.known import WAV2VEC
from ser.extract.weights.wav2vec_checkpoint import read_wav2vec
from ser.tests.stand_ins import wav2vec_checkpoint, write_wav2vec


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_wav2vec(folder)
    return folder


@pytest.fixture
def backbones(folder, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    return {layer: make_backbone(f"wav2vec:layer={layer}") for layer in "zc"}


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=samples).astype("f4")


def plainly(state, samples):
    """z and c of one utterance, written down from the paper and the names in the state."""
    x = torch.from_numpy(samples)[None, None]

    def norm(x, name):
        return functional.group_norm(x, 1, state[f"{name}.weight"], state[f"{name}.bias"])

    for number, stride in enumerate((5, 4, 2, 2, 2, 1, 1)):
        name = f"feature_extractor.conv_layers.{number}"
        x = functional.conv1d(x, state[f"{name}.0.weight"], stride=stride)
        x = norm(x, f"{name}.2").relu()
    z = x = (1 + x.abs()).log()
    for number, kernel in enumerate(range(2, 14)):
        name = f"feature_aggregator.conv_layers.{number}"
        past = torch.cat([x[:, :, :1]] * (kernel - 1) + [x], dim=2)
        new = functional.conv1d(past, state[f"{name}.1.weight"], state[f"{name}.1.bias"])
        x = (norm(new, f"{name}.3").relu() + x) * math.sqrt(0.5)
    return {"z": z[0].T.numpy(), "c": x[0].T.numpy()}


def test_equal_to_the_published_architecture(backbones):
    samples = noise(9000)
    expected = plainly(wav2vec_checkpoint()["model"], samples)
    for layer, backbone in backbones.items():
        (frames,) = backbone.forward([backbone.prepare(samples)])
        assert frames.shape == (1 + (9000 - 465) // 160, 512)
        assert frames.dtype == np.float32
        np.testing.assert_allclose(frames, expected[layer], rtol=1e-3, atol=1e-4)
    assert make_backbone("wav2vec").spec == "wav2vec"
    assert backbones["c"].spec == "wav2vec"


def test_a_frame_every_10_ms():
    model = Wav2VecModel()
    assert (model.dim, model.hop, model.shortest) == (512, 160, 465)
    key_rate = make_backbone("wav2vec").frame_rate
    assert key_rate == 16000 / model.hop


def test_parameters_are_as_many_as_published():
    ours = sum(p.numel() for p in Wav2VecModel().parameters())
    assert ours == 29_390_848
    # 32.54 million is what SUPERB lists, the head that predicts twelve steps ahead included.
    head = 512 * 512 * 12 + 512
    assert round((ours + head) / 1e6, 2) == 32.54
    state = wav2vec_checkpoint()["model"]
    assert sum(value.numel() for value in state.values()) == ours + head


@pytest.mark.long
def test_neighbours_change_nothing(backbones):
    lengths = [int(465 * 1.27**n) for n in range(20)]  # 0.03 s to 2.7 s
    audio = [noise(n, n) for n in lengths]
    backbone = backbones["c"]
    together = backbone.forward(audio)
    backwards = backbone.forward(audio[::-1])[::-1]
    for samples, ours, other in zip(audio, together, backwards, strict=True):
        (alone,) = backbone.forward([samples])
        for batched in (ours, other):
            assert np.abs(alone - batched).max() / np.abs(alone).max() < 1e-4
    assert [len(frames) for frames in together] == [1 + (n - 465) // 160 for n in lengths]


def test_too_short():
    with pytest.raises(AudioError, match="464 samples, and 465 are needed"):
        make_backbone("wav2vec").prepare(noise(464))


def test_layer_is_z_or_c():
    with pytest.raises(InputError, match="layer must be z or c, got d"):
        make_backbone("wav2vec:layer=d")


def test_no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="ser weights fetch wav2vec"):
        make_backbone("wav2vec").key()


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def small(tmp_path, **changes):
    """A whole checkpoint of the right kind but few channels, with changes."""
    encoder, aggregator = [(8, 10, 5), (8, 8, 4)], [(8, 2, 1)]
    state = Wav2VecModel(encoder, aggregator).state_dict()
    args = {
        "conv_feature_layers": str(encoder),
        "conv_aggregator_layers": str(aggregator),
        **{name: changes.pop(name) for name in list(changes) if name not in ("args", "model")},
    }
    path = tmp_path / "small.pt"
    torch.save({"args": Namespace(**args), "model": state, **changes}, path)
    return path


def test_the_layers_are_those_of_the_file(tmp_path):
    model = read_wav2vec(small(tmp_path))
    assert (model.dim, model.hop, model.shortest) == (8, 20, 45)
    assert not model.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"args": None}, "args are no argparse.Namespace"),
        ({"model": [1, 2]}, "it holds list, not named tensors"),
        ({"model": {}}, "10 of its tensors are missing, unknown or of another shape"),
        ({"model": {"feature_extractor.x": 1}}, "not all of its weights are tensors"),
        ({"conv_feature_layers": "__import__('os').mkdir('exploded')"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "[(8, 10, 5)] * 10 ** 9"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "[" * 9000}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "7"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "[]"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": None}, "args.conv_feature_layers is no list of"),
        ({"conv_feature_layers": "[(8, 10, 5), (10 ** 9, 8, 4)]"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "[(8, 10, 5), (1000000, 8, 4)]"}, "args.conv_feature_layers"),
        ({"conv_feature_layers": "[(8, 10, 5), (8, 8, 0)]"}, "args.conv_feature_layers"),
        ({"conv_aggregator_layers": "[(16, 2, 1)]"}, "its aggregator changes size"),
        ({"conv_aggregator_layers": "[(8, 2, 2)]"}, "its aggregator changes size"),
        ({"aggregator": "gru"}, "another kind: aggregator is gru, not cnn"),
        ({"log_compression": False}, "another kind: log_compression is False, not True"),
    ],
)
def test_another_model(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SerError, match=message) as caught:
        read_wav2vec(small(tmp_path, **changes))
    assert "small.pt" in str(caught.value)
    assert not (tmp_path / "exploded").exists()


def test_of_another_size(tmp_path, monkeypatch):
    shutil.move(small(tmp_path), tmp_path / WAV2VEC.name)
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    with pytest.raises(SerError, match="another size: 8 channels, a frame every 20 samples"):
        make_backbone("wav2vec").load()


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.999])
def test_truncated(tmp_path, legacy, share):
    checkpoint = torch.load(small(tmp_path), weights_only=False)
    whole = tmp_path / "whole.pt"
    torch.save(checkpoint, whole, _use_new_zipfile_serialization=not legacy)
    content = whole.read_bytes()
    path = tmp_path / "part.pt"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SerError, match=r"part\.pt: damaged or not a torch checkpoint.*fetch it"):
        read_wav2vec(path)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_bomb_does_not_go_off(tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pt"
    torch.save(
        {"args": Namespace(conv_feature_layers=Bomb()), "model": {}},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(SerError, match=r"bomb\.pt: refused.*asks for code.*mkdir"):
        read_wav2vec(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, torch.zeros(3)])
def test_another_file(tmp_path, content):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(SerError, match=r"other\.pt: not the wav2vec.*it has no args and model"):
        read_wav2vec(path)


def test_text(tmp_path):
    path = tmp_path / "page.pt"
    path.write_text("<html>not found</html>")
    with pytest.raises(SerError, match=r"page\.pt: damaged or not a torch checkpoint"):
        read_wav2vec(path)
    with pytest.raises(SerError, match=r"cannot be read \(it is not a regular file\)"):
        read_wav2vec(tmp_path)
