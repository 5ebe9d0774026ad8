"""VGG16 against a second, plain reading of its published state, and the images made of sound."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from ser.errors import MissingWeightsError, SerError
from ser.extract import make_backbone
from ser.extract.backbones.vgg16 import cut
from ser.extract.backbones.vgg16_model import Vgg16Model
from ser.extract.weights.known import VGG16
from ser.tests.stand_ins import VGG16_LAYERS, vgg16_state, write_vgg16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_vgg16(folder)
    return folder


@pytest.fixture
def backbone(folder, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    return make_backbone("vgg16")


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=samples).astype("f4")


def plainly(state, image):
    """The 8192 numbers of one image, (3, 128, 128) from 0 to 1, by the names in the state."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((torch.from_numpy(image).movedim(0, 2) - mean) / std).movedim(2, 0)[None]
    for number, layer in enumerate(VGG16_LAYERS, start=1):
        weight, bias = (state[f"features.{layer}.{part}"] for part in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1).relu()
        if number in (2, 4, 7, 10, 13):
            x = functional.max_pool2d(x, 2)
    assert x.shape == (1, 512, 4, 4)
    return x.numpy().ravel()


def test_the_sizes_are_those_of_the_published_file():
    state = vgg16_state()
    assert sum(value.numel() for value in state.values()) == 138_357_544
    assert sum(value.numel() for value in Vgg16Model().parameters()) == 14_714_688
    assert VGG16.sha256.startswith(VGG16.name.removeprefix("vgg16-").removesuffix(".pth"))
    assert 4 * 138_357_544 < VGG16.size < 4 * 138_357_544 + 10_000


def test_equal_to_the_published_architecture(backbone):
    prepared = backbone.prepare(noise(48000))
    assert prepared.shape == (130, 3, 128)
    (rows,) = backbone.forward([prepared])
    assert (rows.shape, rows.dtype) == ((2, 8192), np.float32)
    images = prepared[:128], np.concatenate([prepared[64:], np.zeros((62, 3, 128), "f4")])
    for row, image in zip(rows, images, strict=True):
        expected = plainly(vgg16_state(), np.ascontiguousarray(image.transpose(1, 2, 0)))
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("frames", "images"), [(1, 1), (128, 1), (129, 2), (192, 2), (193, 3)])
def test_cutting(frames, images):
    image = np.arange(1, 1 + frames * 6, dtype="f4").reshape(frames, 3, 2)
    parts = [*cut(image, 2)]
    assert all(len(part) <= 2 for part in parts)
    whole = np.concatenate(parts)
    assert whole.shape == (images, 3, 2, 128)
    for number, piece in enumerate(whole):
        there = image[64 * number :][:128]
        np.testing.assert_array_equal(piece[..., : len(there)], there.transpose(1, 2, 0))
        assert not piece[..., len(there) :].any()


def test_the_image_of_a_sound():
    """The parts of `hpss`, and the whole as `logmel128` has it; the loudest is 1, 80 dB below 0."""
    samples = noise(20000) * np.linspace(0, 1, 20000, dtype="f4") ** 8
    image = make_backbone("vgg16:hop_length=512").prepare(samples)
    assert (image.min(), image.max()) == (0, 1)
    parts = make_backbone("hpss:hop_length=512").prepare(samples).reshape(-1, 2, 128)
    whole = make_backbone("logmel128").prepare(samples)[:, None]
    channels = np.concatenate([parts, whole], axis=1)
    expected = np.clip((channels - channels.max() + 80) / 80, 0, 1)
    np.testing.assert_allclose(image, expected, atol=1e-5)
    louder = make_backbone("vgg16:hop_length=512").prepare(3 * samples)
    np.testing.assert_allclose(louder, image, atol=1e-5)


def test_no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="ser weights fetch vgg16"):
        make_backbone("vgg16").key()


def test_another_network_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    other = {**vgg16_state(), "features.28.weight": torch.zeros(256, 512, 3, 3)}
    torch.save(other, tmp_path / VGG16.name)
    with pytest.raises(SerError, match=r"not the state of VGG16 .* features.28.weight"):
        make_backbone("vgg16").load()
