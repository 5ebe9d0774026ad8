"""BYOL-S against a second, plain reading of the published front end and network, and odd files."""

import math
import os

import numpy as np
import pytest
import torch
from torch.nn import functional

from ser.errors import AudioError, InputError, MissingWeightsError, SerError
from ser.extract import make_backbone
from ser.extract.backbones.byol import mel_spectrogram
from ser.extract.weights.known import BYOL
from ser.tests.stand_ins import byol_state, write_byol


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_byol(folder)
    return folder


@pytest.fixture
def backbone(folder, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    return make_backbone("byol")


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=samples).astype("f4")


def mel_plainly(samples):
    """(64, frames) as torchaudio documents it, with its default HTK scale and no norm."""
    spectrum = torch.stft(
        torch.from_numpy(samples),
        n_fft=1024,
        hop_length=160,
        win_length=400,
        window=torch.hann_window(400),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    ends = [2595 * math.log10(1 + hertz / 700) for hertz in (60, 7800)]
    corners = 700 * (10 ** (np.linspace(*ends, 66) / 2595) - 1)
    bins = np.linspace(0, 8000, 513)
    filters = np.zeros((64, 513))
    for band in range(64):
        low, top, high = corners[band : band + 3]
        filters[band] = np.clip(
            np.minimum((bins - low) / (top - low), (high - bins) / (high - top)), 0, None
        )
    return torch.from_numpy(filters).float() @ spectrum.abs().square()


def plainly(state, samples, mean=-5.7522, deviation=3.4033):
    """The embedding of one utterance, from the names in the state."""
    x = (mel_plainly(samples) + torch.finfo(torch.float32).eps).log()
    x = ((x - mean) / deviation)[None, None]
    for convolution, norm in ((0, 1), (4, 5), (8, 9)):
        weight, bias = (state[f"features.{convolution}.{part}"] for part in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1)
        scale, shift, centre, spread = (
            state[f"features.{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = functional.batch_norm(x, centre, spread, scale, shift)
        x = functional.max_pool2d(x.relu(), 2)
    _, channels, bands, steps = x.shape
    assert (channels, bands) == (64, 8)
    x = x[0].permute(2, 1, 0).reshape(steps, 512)
    for number in (0, 3):
        x = functional.linear(x, state[f"fc.{number}.weight"], state[f"fc.{number}.bias"]).relu()
    return (x.mean(dim=0) + x.max(dim=0).values).numpy()


def test_equal_to_the_published_architecture(backbone):
    for samples in (noise(16000), noise(1599, 1), noise(23456, 2)):
        (vector,) = backbone.forward([backbone.prepare(samples)])
        assert vector.shape == (2048,)
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, plainly(byol_state(), samples), rtol=1e-3, atol=1e-4)


def test_front_end():
    samples = noise(5000)
    ours = mel_spectrogram(samples)
    assert ours.shape == (1 + 5000 // 160, 64)
    np.testing.assert_allclose(ours, mel_plainly(samples).T, rtol=1e-4, atol=1e-7)


def test_front_end_is_torchaudios():
    transforms = pytest.importorskip("torchaudio.transforms")
    theirs = transforms.MelSpectrogram(
        sample_rate=16000,
        n_fft=1024,
        win_length=400,
        hop_length=160,
        n_mels=64,
        f_min=60,
        f_max=7800,
    )
    samples = noise(5000)
    expected = theirs(torch.from_numpy(samples)).T
    np.testing.assert_allclose(mel_spectrogram(samples), expected, rtol=1e-4, atol=1e-7)


def test_the_statistics_are_parameters(folder, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    backbone = make_backbone("byol:mean=-2.6927:deviation=4.1031")  # SERAB's for EmoDB
    assert backbone.spec == "byol:deviation=4.1031:mean=-2.6927"
    assert backbone.key().parameters["mean"] == -2.6927
    samples = noise(8000)
    (vector,) = backbone.forward([backbone.prepare(samples)])
    expected = plainly(byol_state(), samples, -2.6927, 4.1031)
    np.testing.assert_allclose(vector, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match=r"deviation must be from 0.01 to 100, got 0\.0"):
        make_backbone("byol:deviation=0")


def test_neighbours_change_nothing(backbone):
    images = [backbone.prepare(noise(int(1120 * 1.28**n), n)) for n in range(20)]  # .07 s to 7.6 s
    together = backbone.forward(images)
    backwards = backbone.forward(images[::-1])[::-1]
    for image, vector, other in zip(images, together, backwards, strict=True):
        (alone,) = backbone.forward([image])
        for batched in (vector, other):
            assert np.abs(alone - batched).max() / np.abs(alone).max() < 1e-4


def test_too_short():
    with pytest.raises(AudioError, match="1119 samples, and 1120 are needed"):
        make_backbone("byol").prepare(noise(1119))


def test_no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match="ser weights fetch byol"):
        make_backbone("byol").key()


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("truncated", "damaged or not a torch checkpoint"),
        ("bomb", "refused, .* asks for code"),
        ("list", "not the state of BYOL-S .*: it holds list, not named tensors"),
        ("other", r"1 of its tensors .* such as fc.0.weight \(512 x 512; expected 2048 x 512\)"),
    ],
)
def test_odd_files(monkeypatch, tmp_path, content, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path))
    path = tmp_path / BYOL.name
    if content == "truncated":
        write_byol(tmp_path)
        path.write_bytes(path.read_bytes()[:1_000_000])
    else:
        other = {**byol_state(), "fc.0.weight": torch.zeros(512, 512)}
        torch.save({"bomb": Bomb(), "list": [1], "other": other}[content], path)
    with pytest.raises(SerError, match=message):
        make_backbone("byol").load()
    assert not (tmp_path / "exploded").exists()
