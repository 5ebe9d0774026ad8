"""What config.json and the feature extractor's settings may say of a speech encoder.

Everything that decides a number or a size is named here, with limits; whatever else a file says
(code to be run, ways to compute attention, other files, types of numbers) reaches no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from ..audio import RATE
from .settings import Check, Flag, Number, Whole, Wholes, Word, read_settings

WHISPER = "whisper"

_SIZE, _LAYERS, _HEADS, _INNER = 8192, 256, 256, 65_536
_ACTIVATIONS = (
    "gelu",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_pytorch_tanh",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
)
_HIGHEST_RATE = 400
"""Rows per second: attention takes memory by their square. Published encoders have 50."""
_MOST_POSITIONS = 64 << 20
"""Numbers in a table of positions, which is made and not loaded."""

_WAVE: dict[str, Check] = {
    "hidden_size": Whole(768, _SIZE),
    "num_hidden_layers": Whole(12, _LAYERS),
    "num_attention_heads": Whole(12, _HEADS),
    "intermediate_size": Whole(3072, _INNER),
    "hidden_act": Word("gelu", _ACTIVATIONS),
    "layer_norm_eps": Number(1e-5, 1e-12, 0.1),
    "feat_extract_activation": Word("gelu", _ACTIVATIONS),
    "conv_dim": Wholes((512,) * 7, 4096),
    "conv_stride": Wholes((5, 2, 2, 2, 2, 2, 2), 1024),
    "conv_kernel": Wholes((10, 3, 3, 3, 3, 2, 2), 1024),
    "conv_bias": Flag(False),
    "num_conv_pos_embeddings": Whole(128, 1024),
    "num_conv_pos_embedding_groups": Whole(16, _SIZE),
}
_NORM: dict[str, Check] = {"feat_extract_norm": Word("group", ("group", "layer"))}
_STABLE: dict[str, Check] = {**_NORM, "do_stable_layer_norm": Flag(False)}
_INSIDE: dict[str, Check] = {"adapter_attn_dim": Whole(None, _SIZE, optional=True)}

SETTINGS: Mapping[str, Mapping[str, Check]] = {
    "wav2vec2": {**_WAVE, **_STABLE, **_INSIDE},
    "hubert": {
        **_WAVE,
        **_STABLE,
        **_INSIDE,
        "conv_pos_batch_norm": Flag(False),
        "feat_proj_layer_norm": Flag(True),
    },
    "unispeech": {**_WAVE, **_STABLE, **_INSIDE},
    "unispeech-sat": {**_WAVE, **_STABLE, **_INSIDE},
    "wavlm": {
        **_WAVE,
        **_STABLE,
        "num_buckets": Whole(320, 65_536, least=4),
        "max_bucket_distance": Whole(800, 1 << 20),
    },
    "data2vec-audio": {
        **_WAVE,
        "num_conv_pos_embeddings": Whole(5, 64),  # layers here, not a width
        "conv_pos_kernel_size": Whole(19, 1024),
    },
    "wav2vec2-conformer": {
        **_WAVE,
        **_NORM,
        "position_embeddings_type": Word("relative", ("relative", "rotary", None)),
        "rotary_embedding_base": Whole(10_000, 1 << 30, least=2),
        "max_source_positions": Whole(5000, 1 << 20),
        "conv_depthwise_kernel_size": Whole(31, 1023),
    },
    WHISPER: {
        "d_model": Whole(384, _SIZE, least=4),
        "encoder_layers": Whole(4, _LAYERS),
        "encoder_attention_heads": Whole(6, _HEADS),
        "encoder_ffn_dim": Whole(1536, _INNER),
        "activation_function": Word("gelu", _ACTIVATIONS),
        "num_mel_bins": Whole(80, 512),
        "max_source_positions": Whole(1500, 1 << 20),
        "scale_embedding": Flag(False),
    },
}
"""By family, as transformers names it: with the defaults of its configuration."""

_REFUSED = {
    "per_layer_config": "its layers differ from each other",
    "quantization_config": "its weights are quantised",
    "transformers_weights": "its weights are in another file than the usual one",
}
"""What would change numbers and is not done here."""

FRONT_WAVE: Mapping[str, Check] = {
    "feature_extractor_type": Word("Wav2Vec2FeatureExtractor", ("Wav2Vec2FeatureExtractor",)),
    "feature_size": Whole(1, 1),
    "do_normalize": Flag(True),
}
FRONT_WHISPER: Mapping[str, Check] = {
    "feature_extractor_type": Word("WhisperFeatureExtractor", ("WhisperFeatureExtractor",)),
    "feature_size": Whole(80, 512),
    "hop_length": Whole(160, 1600, least=16),
    "chunk_length": Whole(30, 300),
    "n_fft": Whole(400, 8192, least=16),
    "padding_value": Number(0.0, -1.0, 1.0),
    "dither": Number(0.0, 0.0, 0.0),  # noise, drawn anew each time
    "do_normalize": Flag(False),
}


def model_settings(family: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the network of a family, checked.

    Raises:
        ValueError: a value makes no sense, or asks for what is not done here.
    """
    for name, why in _REFUSED.items():
        if config.get(name):
            raise ValueError(f"{name} is given, and {why}, which cannot be used here")
    settings = read_settings(config, SETTINGS[family])
    if family == WHISPER:
        _check_multiple(settings, "d_model", settings["encoder_attention_heads"])
        _check_multiple(settings, "d_model", 2)
        positions = settings["max_source_positions"] * settings["d_model"]
    else:
        _check_wave(settings)
        positions = 2 * settings.get("max_source_positions", 0) * settings["hidden_size"]
    if positions > _MOST_POSITIONS:
        raise ValueError(f"its table of positions has {positions} numbers")
    return settings


def _check_wave(settings: Mapping[str, Any]) -> None:
    """What of the settings must fit together."""
    lists = ("conv_dim", "conv_stride", "conv_kernel")
    if len({len(settings[name]) for name in lists}) > 1:
        raise ValueError(f"{', '.join(lists)} differ in length")
    rate = RATE / prod(settings["conv_stride"])
    if not 1 <= rate <= _HIGHEST_RATE:
        raise ValueError(f"conv_stride makes {rate:g} rows a second; 1 to {_HIGHEST_RATE} can be")
    heads = settings["num_attention_heads"]
    _check_multiple(settings, "hidden_size", heads)
    _check_multiple(settings, "hidden_size", settings["num_conv_pos_embedding_groups"])
    if "position_embeddings_type" in settings:
        _check_multiple(settings, "hidden_size", 2 * heads)  # sines and cosines
    if settings.get("max_bucket_distance", 2) <= settings.get("num_buckets", 4) // 4:
        raise ValueError("max_bucket_distance is too small for num_buckets")
    if settings.get("conv_depthwise_kernel_size", 1) % 2 == 0:
        raise ValueError("conv_depthwise_kernel_size is even")


def _check_multiple(settings: Mapping[str, Any], name: str, part: int) -> None:
    if settings[name] % part:
        raise ValueError(f"{name} is {settings[name]}, which is no multiple of {part}")
