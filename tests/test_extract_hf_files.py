"""What is hashed of a model's folder is what is loaded; what its JSON files say reaches nothing."""

import json
import os
import shutil
import socket

import numpy as np
import pytest
import torch
from msgspec.structs import asdict
from safetensors.torch import load_file, save_file

pytest.importorskip("transformers", reason="the hf extra is not installed")

import transformers

from ser.errors import InputError, MissingPackageError, SerError
from ser.extract import make_backbone
from ser.extract.backbones.speech_settings import SETTINGS, WaveFront, WhisperFront
from ser.extract.weights import hf_weights
from ser.extract.weights.known import digest
from ser.extract.weights.model_folder import model_files
from ser.tests.speech_models import FAMILIES, write_speech_model

posix = pytest.mark.skipif(os.name == "nt", reason="needs links")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_speech_model(tmp_path_factory.mktemp("models") / "wavlm", "wavlm")


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def rows_of(folder):
    backbone = make_backbone(f"hf:{folder}")
    samples = np.sin(np.arange(6400, dtype="f4") ** 1.3)
    return backbone.forward([backbone.prepare(samples)])[0]


def into_parts(
    folder, names=("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
):
    """Split the one file of weights, with an index."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    tensors = sorted(state)
    halves = [tensors[::2], tensors[1::2]]
    for name, half in zip(names, halves, strict=True):
        save_file({tensor: state[tensor] for tensor in half}, folder / name, {"format": "pt"})
    write_index(folder, {t: n for n, half in zip(names, halves, strict=True) for t in half})
    return names


def write_index(folder, weight_map):
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)


def change(folder, name="config.json", **values):
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def key_and_load(folder):
    backbone = make_backbone(f"hf:{folder}")
    backbone.key()
    backbone.load()


def refused(folder, says, error=SerError):
    with pytest.raises(error, match=says) as caught:
        key_and_load(folder)
    assert str(folder) in str(caught.value)


def test_keys_are_what_they_were(folder):
    """Of one file, and of parts with an index: the hash over these files, sorted by name."""
    descriptions = ["config.json", "preprocessor_config.json"]
    one = make_backbone(f"hf:{folder}").weights()
    assert one == digest(folder, [*descriptions, "model.safetensors"])
    before = rows_of(folder)
    names = into_parts(folder)
    parts = make_backbone(f"hf:{folder}").weights()
    assert parts == digest(folder, [*descriptions, *names, "model.safetensors.index.json"])
    np.testing.assert_array_equal(rows_of(folder), before)


def test_parts_of_other_names_are_in_the_key(folder):
    into_parts(folder, ("a.safetensors", "b.safetensors"))
    before = make_backbone(f"hf:{folder}").weights()
    rows = rows_of(folder)
    state = load_file(folder / "b.safetensors")
    save_file({n: t + 0.5 for n, t in state.items()}, folder / "b.safetensors", {"format": "pt"})
    assert make_backbone(f"hf:{folder}").weights() != before
    assert np.abs(rows_of(folder) - rows).max() > 0.01


def test_parts_that_no_index_names_are_neither_read_nor_hashed(folder):
    into_parts(folder)
    before = make_backbone(f"hf:{folder}").weights()
    (folder / "model-00003-of-00003.safetensors").write_bytes(b"damaged")
    (folder / "pytorch_model.bin").write_bytes(b"damaged")
    make_backbone(f"hf:{folder}").load()
    assert make_backbone(f"hf:{folder}").weights() == before


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "/outside.safetensors",
        "sub/x.safetensors",
        "sub\\x.safetensors",
        "C:x.safetensors",
        "NUL.safetensors",
        "x\0.safetensors",
        "x.bin",
        "",
        ".",
        3,
        None,
        ["x"],
    ],
)
def test_an_index_names_files_of_its_folder_alone(folder, name):
    state = folder / "model.safetensors"
    shutil.copy(state, folder.parent / "outside.safetensors")
    (folder / "sub").mkdir()
    shutil.move(state, folder / "sub" / "x.safetensors")
    tensors = load_file(folder / "sub" / "x.safetensors")
    write_index(folder, dict.fromkeys(tensors, name))
    refused(folder, r"expected files \*\.safetensors directly in its folder")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "damaged: expected names and values"),
        ("{}", "damaged: expected weight_map"),
        ('{"weight_map": []}', "damaged: expected weight_map"),
        ("{", "damaged: not valid JSON"),
        ("[" * 100_000, "damaged: not valid JSON"),
        ('{"weight_map": {"a": "none.safetensors"}}', "No such file"),
    ],
)
def test_damaged_indices(folder, content, says):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(content)
    refused(folder, says)


@posix
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_links_that_lead_out_are_refused(folder, name):
    shutil.move(folder / name, folder.parent / "outside")
    (folder / name).symlink_to("../outside")
    refused(folder, "it is a link that leads out of")


@posix
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "processor_config.json"])
def test_pipes_are_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    refused(folder, "it is not a regular file")


@posix
def test_snapshots_of_huggingface_hub_are_links_to_their_blobs(folder, tmp_path):
    blobs = tmp_path / "models--org--x" / "blobs"
    snapshot = tmp_path / "models--org--x" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(folder.iterdir()):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    key = make_backbone(f"hf:{snapshot}").key()
    assert key == make_backbone(f"hf:{folder}").key()
    make_backbone(f"hf:{snapshot}").load()
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(folder / "config.json")
    refused(snapshot, "it is a link that leads out of")


def test_two_tensors_of_one_name(folder):
    names = into_parts(folder)
    state = load_file(folder / names[0])
    head = {f"wavlm.{name}": tensor.clone() for name, tensor in state.items()}
    save_file({**state, **head}, folder / names[0], {"format": "pt"})
    refused(folder, "a second tensor for")


def test_files_that_change_while_they_are_read(folder, monkeypatch):
    whole = hf_weights._tensors

    def meanwhile(model):
        change(folder, hidden_dropout=0.3)
        return whole(model)

    monkeypatch.setattr(hf_weights, "_tensors", meanwhile)
    refused(folder, "its files were changed while they were read")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "flex_attention"},
        {"_attn_implementation": "kernels-community/flash-attn"},
        {"_attn_implementation_internal": "flash_attention_2"},
        {"experts_implementation": "kernels-community/x", "use_kernels": True},
        {"auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}},
        {"auto_map": {"AutoModel": "org/other--evil.Evil"}, "trust_remote_code": True},
        {"_name_or_path": "org/other", "name_or_path": "../x", "_commit_hash": "abc"},
        {"dtype": "float16", "torch_dtype": "bfloat16"},
        {"dtype": "load_library"},
        {"return_dict": False, "output_hidden_states": True, "output_attentions": True},
        {"torchscript": True, "use_return_dict": False, "chunk_size_feed_forward": 2},
        {"fusion_config": {"patch_embeddings": True}, "tie_last_hidden_states": False},
        {"add_adapter": True, "num_adapter_layers": 10**6, "output_hidden_size": 10**9},
        {"id2label": {str(n): "x" for n in range(1000)}, "num_labels": 10**9},
        {"vocab_size": 10**12, "tdnn_dim": [10**9], "classifier_proj_size": -1},
        {"hidden_dropout": 7, "layerdrop": "x", "mask_time_prob": 10, "initializer_range": None},
        {"architectures": ["../x"], "model_class": "os.system", "__class__": "x", "self": 1},
        {"distributed_config": {"tp_plan": "auto"}, "device_map": "disk", "offload_folder": "/x"},
    ],
)
def test_what_a_configuration_cannot_do(written, folder, values):
    expected = rows_of(written)
    change(folder, **values)
    (folder / "evil.py").write_text(f"open({str(folder / 'bang')!r}, 'w')")
    for name in ("model.msgpack", "tf_model.h5", "model.fp16.safetensors", "adapter_model.bin"):
        (folder / name).write_bytes(b"of another form")
    np.testing.assert_array_equal(rows_of(folder), expected)
    assert not (folder / "bang").exists()
    backbone = make_backbone(f"hf:{folder}")
    backbone.load()
    config = backbone.model._network.config
    assert config._attn_implementation == "eager"  # all that WavLM has
    assert not getattr(config, "auto_map", None)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"quantization_config": {"quant_method": "gptq"}}, "its weights are quantised"),
        ({"per_layer_config": {"0": {"hidden_act": "relu"}}}, "layers differ"),
        ({"transformers_weights": "other.safetensors"}, "in another file than the usual one"),
        (
            {"num_hidden_layers": 10**6},
            "num_hidden_layers is 1000000: expected a whole number <= 256",
        ),
        ({"num_hidden_layers": 0}, "expected a whole number >= 1"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": 12.0}, r"num_hidden_layers is 12\.0"),
        ({"num_hidden_layers": 10**400}, "beyond all measure"),
        ({"num_hidden_layers": [[[]]]}, "num_hidden_layers is a list"),
        ({"num_hidden_layers": 4}, "are missing, unknown or of another shape"),
        ({"hidden_size": 64}, "are missing, unknown or of another shape"),
        ({"hidden_size": 1 << 40}, "hidden_size is"),
        ({"num_attention_heads": -4}, "num_attention_heads is -4"),
        ({"num_attention_heads": 5}, "hidden_size is 32, which is no multiple of 5"),
        ({"num_conv_pos_embedding_groups": 3}, "no multiple of 3"),
        ({"conv_stride": [0] * 7}, "conv_stride is a list: expected a whole number >= 1"),
        ({"conv_stride": [1] * 7}, "conv_stride makes 16000 rows a second"),
        ({"conv_stride": [1000] * 7}, "rows a second"),
        ({"conv_stride": [5, 2]}, "differ in length"),
        ({"conv_kernel": "10"}, "conv_kernel is '10'"),
        ({"conv_kernel": [10**9] * 7}, "conv_kernel is a list"),
        ({"conv_dim": [2**40] * 7}, "conv_dim is a list"),
        ({"conv_dim": [64] * 7}, "of another shape"),
        ({"hidden_act": "xielu"}, "hidden_act is 'xielu': expected one of gelu"),
        ({"hidden_act": "../x"}, "expected one of gelu"),
        ({"hidden_act": {"x": 1}}, "hidden_act is a dict"),
        ({"feat_extract_norm": "none"}, "expected one of group, layer"),
        ({"layer_norm_eps": float("nan")}, "damaged: not valid JSON"),
        ({"layer_norm_eps": -1}, "layer_norm_eps is -1"),
        ({"do_stable_layer_norm": "yes"}, "expected true or false"),
        ({"num_buckets": 4000, "max_bucket_distance": 10}, "max_bucket_distance is too small"),
        ({"intermediate_size": None}, "intermediate_size is None"),
    ],
)
def test_configurations_that_make_no_sense(folder, values, says):
    change(folder, **values)
    refused(folder, says)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"feature_extractor_type": "EvilExtractor"}, "expected one of Wav2Vec2FeatureExtractor"),
        ({"do_normalize": "false"}, "expected true or false"),
        ({"feature_size": 10**9}, "feature_size is 1000000000"),
        ({"sampling_rate": "16000"}, "takes audio at '16000' Hz"),
    ],
)
def test_feature_extractors_that_make_no_sense(folder, values, says):
    change(folder, "preprocessor_config.json", **values)
    refused(folder, says)


def test_two_files_that_disagree_on_the_front_end(folder):
    (folder / "processor_config.json").write_text('{"feature_extractor": {"do_normalize": false}}')
    refused(folder, "say different things")


def test_adapters_are_refused(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}')
    refused(folder, r"has an adapter \(adapter_config\.json\)", InputError)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_setting_of_transformers_is_known_here(family):
    """A setting that is new there, or has another default, must not be passed over."""
    config_class = getattr(transformers, f"{FAMILIES[family][0]}Config")
    defaults = config_class().to_dict()
    assert SETTINGS[config_class.model_type].__name__ == FAMILIES[family][0]
    known = asdict(SETTINGS[config_class.model_type]())
    for name, own in known.items():
        default = defaults.get(name)
        assert own == (tuple(default) if isinstance(default, list) else default), name
    of_all = set(transformers.PretrainedConfig().to_dict())
    unknown = set(defaults) - set(known) - of_all - CHANGES_NOTHING
    assert not unknown


CHANGES_NOTHING = {
    # of training
    *("activation_dropout", "attention_dropout", "dropout", "feat_proj_dropout", "final_dropout"),
    *("feat_quantizer_dropout", "hidden_dropout", "conformer_conv_dropout", "layerdrop"),
    *("encoder_layerdrop", "decoder_layerdrop", "initializer_range", "init_std", "replace_prob"),
    *("apply_spec_augment", "mask_time_prob", "mask_time_length", "mask_time_min_masks"),
    *("mask_feature_prob", "mask_feature_length", "mask_feature_min_masks"),
    *("contrastive_logits_temperature", "num_negatives", "diversity_loss_weight"),
    # of heads, decoders and what comes after the encoder
    *("vocab_size", "ctc_loss_reduction", "ctc_zero_infinity", "num_ctc_classes", "num_clusters"),
    *("num_codevectors_per_group", "num_codevector_groups", "codevector_dim"),
    *("proj_codevector_dim", "use_weighted_layer_sum", "classifier_proj_size", "tdnn_dim"),
    *("tdnn_kernel", "tdnn_dilation", "xvector_output_dim", "add_adapter", "output_hidden_size"),
    *("adapter_kernel_size", "adapter_stride", "num_adapter_layers"),
    *("decoder_layers", "decoder_attention_heads", "decoder_ffn_dim", "decoder_start_token_id"),
    *("max_target_positions", "use_cache", "suppress_tokens", "begin_suppress_tokens"),
    *("median_filter_width", "pad_token_id", "bos_token_id", "eos_token_id"),
    *("tie_word_embeddings", "num_hidden_layers"),
    # made of others
    "num_feat_extract_layers",
}


@pytest.mark.parametrize(
    ("name", "front"),
    [("Wav2Vec2FeatureExtractor", WaveFront()), ("WhisperFeatureExtractor", WhisperFront())],
)
def test_the_front_ends_defaults_are_those_of_transformers(name, front):
    defaults = getattr(transformers, name)().to_dict()
    for setting, default in asdict(front).items():
        if setting != "do_normalize" or name.startswith("Wav2Vec2"):
            assert default == defaults[setting], setting


def test_out_of_memory_is_not_damage(folder, monkeypatch):
    monkeypatch.setattr(hf_weights, "free_on_host", lambda: 1000)
    refused(folder, r"there is not enough memory: its weights take 0\.0 GB")
    monkeypatch.undo()

    def exhausted(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(transformers.WavLMModel, "from_pretrained", exhausted)
    with pytest.raises(
        SerError, match=r"cannot be loaded \(there is not enough memory\)"
    ) as caught:
        make_backbone(f"hf:{folder}").load()
    assert "damaged" not in str(caught.value)


def test_a_broken_transformers_is_a_missing_package(folder, monkeypatch):
    class Broken:
        def __getattr__(self, name):
            raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(hf_weights, "need", lambda *_, **__: Broken())
    with pytest.raises(MissingPackageError, match=r"transformers cannot be used.*\[hf\]"):
        make_backbone(f"hf:{folder}").load()


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_not_damage(folder):
    (folder / "model.safetensors").chmod(0)
    refused(folder, "Permission denied")


def test_what_is_read_is_what_is_listed(folder):
    assert model_files(folder) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
