"""Allosaurus at its real size, from a folder of the published format with random weights."""

import json
import os
import shutil
import subprocess
import sys
import warnings
import wave
from argparse import Namespace

import numpy as np
import pytest
import torch

pytest.importorskip("allosaurus", reason="the allosaurus extra is not installed")

from ser.errors import AudioError, InputError, MissingPackageError, MissingWeightsError, SerError
from ser.extract import make_backbone
from ser.extract.backbones.bilstm import PaddedBiLstm
from ser.tests.speech_models import write_allosaurus


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_allosaurus(tmp_path_factory.mktemp("allosaurus") / "uni2005")


@pytest.fixture(scope="module")
def backbone(folder):
    made = make_backbone(f"allosaurus:model={folder}")
    made.load()
    return made


def utterances(count=20):
    """Coloured noise from 0.1 to 3 s, on the grid of 16-bit samples."""
    rng = np.random.default_rng(0)
    for seconds in np.geomspace(0.1, 3, count):
        noise = np.cumsum(rng.normal(size=int(16000 * seconds)))
        noise = np.diff(noise, prepend=0) + 0.5 * np.sin(noise / 50)
        yield (np.round(noise / np.abs(noise).max() * 20000) / 32768).astype("f4")


@pytest.mark.long
def test_equal_to_the_package(backbone, folder, tmp_path):
    """`Recognizer.recognize` up to the logits, which it does not give away itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from allosaurus.am.factory import read_am
        from allosaurus.app import Recognizer
        from allosaurus.audio import read_audio
        from allosaurus.lm.factory import read_lm
        from allosaurus.pm.factory import read_pm
    # What its read_recognizer does, which would first try to download another model.
    config = Namespace(model=folder.name, device_id=-1, lang="ipa", approximate=False, prior=None)
    parts = [read(folder, config) for read in (read_pm, read_am, read_lm)]
    recogniser = Recognizer(*parts, config)
    for number, samples in enumerate(list(utterances(6))):
        path = str(tmp_path / f"{number}.wav")
        with wave.open(path, "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes((samples * 32768).astype("<i2").tobytes())
        theirs = torch.from_numpy(recogniser.pm.compute(read_audio(path)))
        length = torch.tensor([len(theirs)])
        with torch.inference_mode():
            logits = recogniser.am(theirs[None], length)[0].numpy()
            hidden = recogniser.am(theirs[None], length, return_lstm=True)[0][:, 0].numpy()
        ours = backbone.prepare(samples)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
        np.testing.assert_allclose(backbone.forward([ours])[0], logits, atol=1e-5)
        backbone.layer = "hidden"
        np.testing.assert_allclose(backbone.forward([ours])[0], hidden, atol=1e-5)
        backbone.layer = "logits"


@pytest.mark.long
@pytest.mark.parametrize(("layer", "dim"), [("logits", 230), ("hidden", 640)])
def test_neighbours_change_nothing(backbone, layer, dim):
    backbone.layer = layer
    prepared = [backbone.prepare(samples) for samples in utterances()]
    together = backbone.forward(prepared)
    odd = dict(enumerate(backbone.forward(prepared[::2])))
    for number, (frames, one) in enumerate(zip(prepared, together, strict=True)):
        other = one if number % 2 else odd[number // 2]
        (alone,) = backbone.forward([frames])
        assert alone.shape == one.shape == (len(frames), dim)
        scale = 1e-4 * np.abs(alone).max()
        np.testing.assert_allclose(one, alone, atol=scale, rtol=0)
        np.testing.assert_allclose(other, alone, atol=scale, rtol=0)
    backbone.layer = "logits"


def test_published_architecture(backbone, folder):
    state = torch.load(folder / "model.pt", weights_only=True)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["blstm_layer.weight_ih_l0"] == (1280, 120)
    assert shapes["blstm_layer.weight_ih_l4_reverse"] == (1280, 640)
    assert "blstm_layer.weight_ih_l5" not in shapes
    assert shapes["phone_layer.weight"] == (230, 640)
    second = np.random.default_rng(1).normal(scale=0.1, size=16000).astype("f4")
    frames = backbone.prepare(second)
    assert frames.shape == (33, 120)  # 98 frames of 25 ms every 10 ms, every third of which is kept
    assert backbone.frame_rate == pytest.approx(100 / 3)
    # Cepstra are normalised over the utterance.
    np.testing.assert_allclose(frames[:, 40:80].mean(axis=0), 0, atol=0.5)


def test_padded_bilstm_is_a_packed_one():
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(5, 7, num_layers=3, bidirectional=True, batch_first=True)
    lengths = [9, 1, 4]
    inputs = torch.randn(3, 9, 5)
    pack = torch.nn.utils.rnn.pack_padded_sequence
    packed, _ = lstm(pack(inputs, lengths, batch_first=True, enforce_sorted=False))
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    found = PaddedBiLstm(lstm)(inputs, lengths)
    for row, right, length in zip(found, expected, lengths, strict=True):
        torch.testing.assert_close(row[:length], right[:length], atol=1e-6, rtol=0)


def test_what_makes_a_key(folder, tmp_path):
    def key(spec, device="cpu"):
        return make_backbone(spec, device).key()

    here = key(f"allosaurus:model={folder}")
    assert (here.feature, here.backbone) == ("allosaurus", "allosaurus")
    assert (here.kind, here.dim, here.dtype) == ("sequence", 230, "float16")
    assert here.parameters == {"layer": "logits"}
    # The same files elsewhere, another device: a hit.
    copy = tmp_path / "other place" / "mine"
    shutil.copytree(folder, copy)
    assert key(f"allosaurus:model={copy}") == here
    assert key(f"allosaurus:model={folder}", "cuda:3") == here
    (copy / "inventory" / "eng.txt").write_text("p3\n")  # names of phones change no logit
    assert key(f"allosaurus:model={copy}") == here
    # Another layer, dtype, front end, or a byte of the weights: a miss.
    hidden = key(f"allosaurus:layer=hidden:model={folder}")
    assert (hidden.feature, hidden.dim) == ("allosaurus:layer=hidden", 640)
    whole = key(f"allosaurus:dtype=float32:model={folder}")
    config = json.loads((copy / "pm_config.json").read_text())
    (copy / "pm_config.json").write_text(json.dumps({**config, "low_freq": 20}))
    front = key(f"allosaurus:model={copy}")
    shutil.copy(folder / "pm_config.json", copy)
    content = bytearray((folder / "model.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.pt").write_bytes(content)
    assert len({k.hash for k in (here, hidden, whole, front, key(f"allosaurus:model={copy}"))}) == 5


def test_found_in_the_weights_folder(folder):
    with pytest.raises(MissingWeightsError, match="ser weights fetch allosaurus"):
        make_backbone("allosaurus").key()
    weights = os.environ["SER_WEIGHTS"]
    shutil.copytree(folder, os.path.join(weights, "uni2005"))  # noqa: PTH118
    assert make_backbone("allosaurus").key() == make_backbone(f"allosaurus:model={folder}").key()


def test_a_key_imports_nothing_heavy(folder):
    code = f"""
import sys
from ser.extract import make_backbone
make_backbone({f"allosaurus:model={folder}"!r}).key()
heavy = {{"torch", "allosaurus", "resampy", "numba", "librosa"}}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bang",)


@pytest.mark.parametrize("damage", ["truncated", "bomb", "empty", "other", "not a dict"])
def test_bad_weights(folder, tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "m"
    shutil.copytree(folder, copy)
    path = copy / "model.pt"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100_000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "bomb":
        torch.save({"blstm_layer.weight_ih_l0": Bomb()}, path)
    elif damage == "other":
        torch.save({"blstm_layer.weight_ih_l0": torch.zeros(3)}, path)
    else:
        torch.save(torch.zeros(3), path)
    with pytest.raises(SerError) as caught:
        make_backbone(f"allosaurus:model={copy}").load()
    assert str(path) in str(caught.value)
    assert not (tmp_path / "bang").exists()


def test_other_architectures_and_folders(folder, tmp_path):
    other = write_allosaurus(tmp_path / "small", hidden_size=64)
    with pytest.raises(SerError, match="hidden_size is 64, expected 320"):
        make_backbone(f"allosaurus:model={other}").load()
    (other / "am_config.json").write_text("{")
    with pytest.raises(SerError, match=r"am_config\.json: damaged"):
        make_backbone(f"allosaurus:model={other}").load()
    (other / "pm_config.json").write_text('{"model": "raw"}')
    with pytest.raises(SerError, match="not the front end of Allosaurus"):
        make_backbone(f"allosaurus:model={other}").prepare(np.ones(16000, "f4"))
    (other / "model.pt").unlink()
    with pytest.raises(InputError, match=r"not the folder of an Allosaurus model: model\.pt miss"):
        make_backbone(f"allosaurus:model={other}").key()
    with pytest.raises(InputError, match="layer must be logits or hidden, got c"):
        make_backbone("allosaurus:layer=c")


def test_audio_that_does_not_vary(backbone):
    with pytest.raises(AudioError, match="do not vary"):
        backbone.prepare(np.zeros(16000, "f4"))


def test_package_not_installed(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "allosaurus.am.allosaurus_torch", None)
    with pytest.raises(MissingPackageError, match=r"\[allosaurus\]"):
        make_backbone(f"allosaurus:model={folder}").load()
