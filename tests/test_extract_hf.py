"""Speech encoders of transformers, in folders with random weights: small ones of every family, and
wav2vec 2.0 base at its real size."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers", reason="the hf extra is not installed")

import transformers

from ser.cache import Cache
from ser.errors import AudioError, InputError, MissingPackageError, MissingWeightsError, SerError
from ser.extract import extract, make_backbone
from ser.extract.backbones.speech_models import read_speech_model
from ser.extract.backbones.whisper import mel_chunks, split_chunks
from ser.extract.specs import split_spec
from ser.tests.speech_models import FAMILIES, write_speech_model


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Writes each family once."""
    root, written = tmp_path_factory.mktemp("models"), {}

    def model(family):
        if family not in written:
            written[family] = write_speech_model(root / family, family)
        return written[family]

    return model


def noise(seconds, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=int(16000 * seconds)))
    walk -= walk.mean()
    return (0.5 * walk / np.abs(walk).max()).astype("f4")


def utterances(count, longest=2.0):
    """Very different lengths, some of them equal."""
    lengths = [0.1, 0.1, 0.5, 0.5, *np.geomspace(0.12, longest, count - 4)]
    return [noise(seconds, seed) for seed, seconds in enumerate(lengths)]


def reference(folder, samples, layer):
    """What a user of transformers would write, for one utterance."""
    front = transformers.AutoFeatureExtractor.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    network = getattr(network, "encoder", network) if "whisper" in str(folder) else network
    rows = []
    for one in samples:
        given = front(one, sampling_rate=16000, return_tensors="pt")
        values = given["input_values" if "input_values" in given else "input_features"]
        with torch.inference_mode():
            found = network(values, output_hidden_states=True)
        states = {"last": found.last_hidden_state, "mean": torch.stack(found.hidden_states).mean(0)}
        state = states[layer] if layer in states else found.hidden_states[int(layer)]
        rows.append(state[0].numpy())
    return rows


def close(ours, theirs):
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "layer", ["last", *(pytest.param(each, marks=pytest.mark.long) for each in ("mean", "0", "2"))]
)
def test_equal_to_transformers_alone_and_in_a_batch(models, family, layer):
    folder = models(family)
    backbone = make_backbone(f"hf:{folder}:layer={layer}")
    samples = utterances(4 if family == "whisper" else 8)
    together = backbone.forward([backbone.prepare(one) for one in samples])
    rows = [-(-len(one) // 320) for one in samples]
    for ours, theirs, mels in zip(together, reference(folder, samples, layer), rows, strict=True):
        close(ours, theirs[:mels] if family == "whisper" else theirs)
        assert ours.shape[1] == backbone.dim == 32


@pytest.mark.parametrize("family", ["wav2vec2", "data2vec-audio", "wavlm"])
def test_neighbours_change_nothing(models, family):
    backbone = make_backbone(f"hf:{models(family)}")
    prepared = [backbone.prepare(one) for one in utterances(20)]
    together = backbone.forward(prepared)
    backwards = backbone.forward(prepared[::-1])[::-1]
    for one, ours, other in zip(prepared, together, backwards, strict=True):
        close(ours, backbone.forward([one])[0])
        close(other, ours)


def test_padding_would_change_wav2vec2(models):
    """The trap: what transformers does with the batch that its own feature extractor makes."""
    folder = models("wav2vec2")
    short, long = noise(0.3), noise(2, 1)
    front = transformers.AutoFeatureExtractor.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    given = front([short, long], sampling_rate=16000, return_tensors="pt", padding=True)
    with torch.inference_mode():
        padded = network(given["input_values"]).last_hidden_state[0].numpy()
    (alone,) = reference(folder, [short], "last")
    assert np.abs(padded[: len(alone)] - alone).max() > 0.01 * np.abs(alone).max()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """wav2vec 2.0 base as published: 12 layers of 768, 94.4 million parameters."""
    folder = tmp_path_factory.mktemp("base") / "wav2vec2-base"
    return write_speech_model(folder, "wav2vec2", real_size=True)


def test_wav2vec2_base_at_its_real_size(base):
    state = load_file(base / "model.safetensors")
    assert sum(tensor.numel() for tensor in state.values()) == 94_371_712
    assert state["feature_extractor.conv_layers.0.layer_norm.weight"].shape == (512,)
    assert state["feature_projection.projection.weight"].shape == (768, 512)
    assert "encoder.layers.11.attention.q_proj.weight" in state
    backbone = make_backbone(f"hf:{base}")
    key = backbone.key()
    assert (key.dim, key.frame_rate, key.dtype, key.kind) == (768, 50.0, "float16", "sequence")


@pytest.mark.soak
def test_neighbours_change_nothing_in_wav2vec2_base(base):
    """At the real size: a group norm over time of 512 channels, twelve layers of attention."""
    backbone = make_backbone(f"hf:{base}")
    prepared = [backbone.prepare(one) for one in utterances(20, longest=6)]
    together = backbone.forward(prepared)
    assert together[0].shape == (4, 768)  # of 1600 samples: (1600 - 400) // 320 + 1
    backwards = backbone.forward(prepared[::-1])[::-1]
    for one, ours, other in zip(prepared, together, backwards, strict=True):
        (alone,) = backbone.forward([one])
        close(ours, alone)
        close(other, alone)


def test_the_way_into_the_cache(models, tmp_path):
    import soundfile

    from ser.tests.test_extract_pipeline import manifest_of

    root = tmp_path / "corpus"
    root.mkdir()
    for number, samples in enumerate(utterances(5)):
        soundfile.write(root / f"u{number}.wav", samples, 16000, subtype="FLOAT")
    manifest, cache = manifest_of(root), Cache(tmp_path / "cache")
    spec = f"hf:{models('wav2vec2')}:layer=2"
    assert extract(manifest, root, [spec], cache, workers=1).computed == {spec: 5}
    backbone = make_backbone(spec)
    found = cache.read(backbone.key(), manifest)
    assert found.frames.dtype == np.float16
    for number, samples in enumerate(utterances(5)):
        (row,) = backbone.forward([backbone.prepare(samples)])
        # float16 has eleven bits: what lies near a boundary may be rounded either way.
        np.testing.assert_allclose(found[number].astype("f4"), row, rtol=1e-3, atol=1e-3)
    # Device, batch size and workers are not in the key: nothing is computed again.
    again = extract(manifest, root, [spec], cache, workers=0, device="cpu")
    assert again.present == {spec: 5}


def test_what_makes_a_key(models, tmp_path):
    folder = models("wav2vec2")

    def key(more="", at=folder, device="cpu"):
        return make_backbone(f"hf:{at}{more}", device).key()

    here = key()
    assert here.feature == f"hf:wav2vec2-{here.weights[:12]}"
    assert str(folder) not in here.canonical
    assert (here.backbone, here.parameters) == ("hf", {"layer": "last"})
    # The same files elsewhere, what is not read, another device: a hit.
    copy = tmp_path / "with space" / "copy"
    shutil.copytree(folder, copy)
    (copy / "README.md").write_text("words")
    (copy / "optimizer.pt").write_bytes(b"not read")
    assert key(at=copy) == here == key(device="cuda:1") == key(":layer=last")
    # Another layer, dtype, front end, or byte of the weights: a miss.
    others = [key(":layer=mean"), key(":layer=1"), key(":dtype=float32"), key(":layer=01")]
    assert others[1] == others.pop()
    assert others[2].dtype == "float32"
    front = json.loads((copy / "preprocessor_config.json").read_text())
    (copy / "preprocessor_config.json").write_text(json.dumps({**front, "do_normalize": False}))
    others.append(key(at=copy))
    shutil.copy(folder / "preprocessor_config.json", copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    others.append(key(at=copy))
    assert len({found.hash for found in [here, *others]}) == 6


def test_models_of_the_hub_lie_in_the_weights_folder(models, tmp_path):
    with pytest.raises(MissingWeightsError, match="ser weights fetch wav2vec2"):
        make_backbone("wav2vec2:layer=3").key()
    place = os.path.join(os.environ["SER_WEIGHTS"], "hub", "facebook--wav2vec2-base")  # noqa: PTH118
    shutil.copytree(models("wav2vec2"), place)
    alias = make_backbone("wav2vec2:layer=3")
    full = make_backbone("hf:facebook/wav2vec2-base:layer=3")
    assert alias.spec == full.spec == alias.key().feature == "wav2vec2:layer=3"
    assert alias.key() == full.key()
    with pytest.raises(InputError, match="layer must be from 0 to 3, got 4"):
        make_backbone("wav2vec2:layer=4").key()


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("hf:org/model", ("hf", "org/model", [])),
        ("hf:org/model:layer=9:dtype=float32", ("hf", "org/model", ["layer=9", "dtype=float32"])),
        (r"hf:C:\my models\x:layer=mean", ("hf", r"C:\my models\x", ["layer=mean"])),
        ("hf:D:/x", ("hf", "D:/x", [])),
        ("hf:./a=b/c", ("hf", "./a=b/c", [])),
        (
            r"allosaurus:model=C:\x:layer=hidden",
            ("allosaurus", "", [r"model=C:\x", "layer=hidden"]),
        ),
    ],
)
def test_specs(spec, parts):
    assert split_spec(spec) == parts


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("hf", "which model"),
        ("hf:", "which model"),
        ("hf:layer=3", "which model"),
        ("hf:a/b/c", "not the id of a model"),
        ("hf:../none", "no such folder"),
        (r"hf:C:\none", "no such folder"),
        ("hf:a/b:layer=first", "layer must be last, mean or a number, got 'first'"),
        ("hf:a/b:layer=-1", "layer must be"),
        ("hf:a/b:layr=1", "did you mean 'layer'?"),
        ("wav2vec2:x", "expected parameter=value, got 'x'"),
        ("hf:wav2vec2-0123456789ab", "give that folder"),
        ("mfcc:a/b", "expected parameter=value, got 'a/b'"),
    ],
)
def test_bad_specs(spec, says):
    with pytest.raises(InputError) as caught:
        make_backbone(spec).key()
    assert says in str(caught.value)


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def key_and_load(spec):
    backbone = make_backbone(spec)
    backbone.key()
    backbone.load()


def refused(folder, says, error=SerError):
    """One message, that names the folder, and no other exception."""
    with pytest.raises(error) as caught:
        key_and_load(f"hf:{folder}")
    assert says in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("family", ["bert", "vit", None, 3])
def test_not_a_speech_encoder(models, tmp_path, family):
    folder = copy_of(models("wav2vec2"), tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": family}))
    refused(folder, "not a speech encoder: config.json says model_type", InputError)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", "{", "damaged: not valid JSON"),
        ("config.json", "[]", "damaged"),
        ("config.json", None, "missing"),
        ("config.json", '{"model_type": "wav2vec2", "hidden_size": "x"}', "makes no sense"),
        ("preprocessor_config.json", None, "has no preprocessor_config.json"),
        ("preprocessor_config.json", '{"sampling_rate": 8000}', "takes audio at 8000 Hz"),
        ("model.safetensors", None, "has no weights for PyTorch"),
        ("model.safetensors", "", "its weights are damaged or truncated"),
    ],
)
def test_damaged_folders(models, tmp_path, name, content, says):
    folder = copy_of(models("wav2vec2"), tmp_path)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    refused(folder, says)


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_truncated_weights(models, tmp_path, form):
    folder = copy_of(models("wav2vec2"), tmp_path)
    path = folder / "model.safetensors"
    if form == "bin":
        torch.save(load_file(path), folder / "pytorch_model.bin")
        path.unlink()
        path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(folder, {"bin": "damaged or not a torch", "safetensors": "damaged or truncated"}[form])


def test_weights_in_the_old_form(models, tmp_path):
    folder = copy_of(models("wav2vec2"), tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    samples = noise(0.4)
    rows = []
    for place in (folder, models("wav2vec2")):
        backbone = make_backbone(f"hf:{place}")
        rows += backbone.forward([backbone.prepare(samples)])
    np.testing.assert_array_equal(*rows)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bang",)


def test_weights_that_ask_for_code(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = copy_of(models("wav2vec2"), tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"encoder.layer_norm.weight": Bomb()}, folder / "pytorch_model.bin")
    refused(folder, "asks for code (posix.mkdir)" if os.name == "posix" else "asks for code")
    assert not (tmp_path / "bang").exists()


def test_code_in_a_models_folder_is_never_run(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = copy_of(models("wav2vec2"), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Evil", "AutoConfig": "modeling.EvilConfig"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling.py").write_text("import os\nos.mkdir('bang')\n")
    make_backbone(f"hf:{folder}").load()
    assert not (tmp_path / "bang").exists()


@pytest.mark.parametrize("family", ["wav2vec2", "whisper"])
def test_missing_tensors_are_not_made_up(models, tmp_path, family):
    folder = copy_of(models(family), tmp_path)
    path = folder / "model.safetensors"
    state = load_file(path)
    lost = next(name for name in state if name.endswith("layers.1.final_layer_norm.weight"))
    del state[lost]
    save_file(state, path, {"format": "pt"})
    refused(folder, "1 of its tensors are missing")


def test_what_is_not_needed_may_be_missing(models, tmp_path):
    folder = copy_of(models("whisper"), tmp_path)
    path = folder / "model.safetensors"
    state = {n: t for n, t in load_file(path).items() if n.startswith("encoder.")}
    save_file(state, path, {"format": "pt"})
    make_backbone(f"hf:{folder}").load()


def test_too_short(models, tmp_path):
    folder = copy_of(models("wav2vec2"), tmp_path)
    backbone = make_backbone(f"hf:{folder}")
    assert backbone.forward([backbone.prepare(noise(0.025))])[0].shape == (1, 32)
    with pytest.raises(AudioError, match="too short"):
        backbone.prepare(noise(0.024))


def test_the_front_end_is_the_models_own(models, tmp_path):
    folder = copy_of(models("wav2vec2"), tmp_path)
    samples = noise(0.5)
    front = transformers.AutoFeatureExtractor.from_pretrained(folder)
    theirs = front(samples, sampling_rate=16000)["input_values"][0]
    np.testing.assert_allclose(make_backbone(f"hf:{folder}").prepare(samples), theirs, atol=1e-6)
    config = {"do_normalize": False, "feature_extractor_type": "Wav2Vec2FeatureExtractor"}
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": config}))
    np.testing.assert_array_equal(make_backbone(f"hf:{folder}").prepare(samples), samples)


@pytest.mark.parametrize("samples", [1600, 16000, 16001, 16159, 16160, 479_700, 480_000])
def test_whispers_padding_is_not_carried_about(models, samples):
    model = read_speech_model(models("whisper"))
    audio = noise(31)[:samples]
    mel = mel_chunks(audio, model)
    assert len(mel) == -(-samples // 160) + 3
    front = transformers.AutoFeatureExtractor.from_pretrained(model.folder)
    theirs = front(audio, sampling_rate=16000, return_tensors="np")["input_features"][0].T
    ((whole, rows),) = split_chunks(mel, model.chunk)
    np.testing.assert_array_equal(whole, theirs)
    assert rows == -(-samples // 320)


def test_whisper_hears_30_seconds_at_a_time(models):
    backbone = make_backbone(f"hf:{models('whisper')}")
    audio = noise(61)
    pieces = [audio[start : start + 480_000] for start in range(0, len(audio), 480_000)]
    (whole,) = backbone.forward([backbone.prepare(audio)])
    parts = backbone.forward([backbone.prepare(piece) for piece in pieces])
    assert [len(part) for part in parts] == [1500, 1500, 50]
    close(whole, np.concatenate(parts))


def test_package_not_installed(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    backbone = make_backbone(f"hf:{models('wav2vec2')}")
    backbone.key()
    with pytest.raises(MissingPackageError, match=r"\[hf\]"):
        backbone.load()


def test_keys_and_front_ends_import_nothing_heavy(models):
    code = f"""
import sys, numpy
from ser.extract import make_backbone
backbone = make_backbone({f"hf:{models('wav2vec2')}"!r})
backbone.key()
backbone.prepare(numpy.ones(16000, "f4"))
heavy = {{"torch", "transformers", "huggingface_hub"}}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
