"""What config.json and the feature extractor's settings may say of a speech encoder.

Everything that decides a number or a size is named here, with limits; whatever else a file says
(code to be run, ways to compute attention, other files, types of numbers) reaches no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..audio import RATE

Size = Annotated[int, Meta(ge=1, le=8192)]
Layers = Annotated[int, Meta(ge=1, le=256)]
Inner = Annotated[int, Meta(ge=1, le=65_536)]
Width = Annotated[int, Meta(ge=1, le=1024)]
Positions = Annotated[int, Meta(ge=1, le=1 << 20)]
Channels = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=4096)], ...], Meta(min_length=1, max_length=16)
]
Widths = Annotated[tuple[Width, ...], Meta(min_length=1, max_length=16)]
_Gelu = Literal["gelu", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "quick_gelu"]
_Sigmoid = Literal["sigmoid", "silu", "swish", "tanh"]
Activation = Literal[_Gelu, "leaky_relu", "linear", "mish", "relu", _Sigmoid]

_HIGHEST_RATE = 400
"""Rows per second: attention takes memory by their square. Published encoders have 50."""
_MOST_POSITIONS = 64 << 20
"""Numbers in a table of positions, which is made and not loaded."""


class Wave(Struct, frozen=True, kw_only=True):
    """An encoder of samples. Names and defaults are those of transformers' configuration, and each
    family is named as the names of its classes there begin."""

    hidden_size: Size = 768
    num_hidden_layers: Layers = 12
    num_attention_heads: Layers = 12
    intermediate_size: Inner = 3072
    hidden_act: Activation = "gelu"
    layer_norm_eps: Annotated[float, Meta(ge=1e-12, le=0.1)] = 1e-5
    feat_extract_activation: Activation = "gelu"
    conv_dim: Channels = (512,) * 7
    conv_stride: Widths = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: Widths = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: Width = 128
    num_conv_pos_embedding_groups: Size = 16

    def __post_init__(self) -> None:
        """Check what must fit together; raises ValueError."""
        if len({len(self.conv_dim), len(self.conv_stride), len(self.conv_kernel)}) > 1:
            raise ValueError("conv_dim, conv_stride, conv_kernel differ in length")
        rate = RATE / prod(self.conv_stride)
        if not 1 <= rate <= _HIGHEST_RATE:
            raise ValueError(
                f"conv_stride makes {rate:g} rows a second; 1 to {_HIGHEST_RATE} can be"
            )
        _check_multiple("hidden_size", self.hidden_size, self.num_attention_heads)
        _check_multiple("hidden_size", self.hidden_size, self.num_conv_pos_embedding_groups)


class _Normed(Wave, frozen=True, kw_only=True):
    feat_extract_norm: Literal["group", "layer"] = "group"


class _Stable(_Normed, frozen=True, kw_only=True):
    do_stable_layer_norm: bool = False


class Wav2Vec2(_Stable, frozen=True, kw_only=True):
    adapter_attn_dim: Size | None = None


class UniSpeech(Wav2Vec2, frozen=True, kw_only=True): ...


class UniSpeechSat(Wav2Vec2, frozen=True, kw_only=True): ...


class Hubert(Wav2Vec2, frozen=True, kw_only=True):
    conv_pos_batch_norm: bool = False
    feat_proj_layer_norm: bool = True


class WavLM(_Stable, frozen=True, kw_only=True):
    num_buckets: Annotated[int, Meta(ge=4, le=65_536)] = 320
    max_bucket_distance: Positions = 800

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_bucket_distance <= self.num_buckets // 4:
            raise ValueError("max_bucket_distance is too small for num_buckets")


class Data2VecAudio(Wave, frozen=True, kw_only=True):
    num_conv_pos_embeddings: Annotated[int, Meta(ge=1, le=64)] = 5  # layers here, not a width
    conv_pos_kernel_size: Width = 19


class Wav2Vec2Conformer(_Normed, frozen=True, kw_only=True):
    position_embeddings_type: Literal["relative", "rotary", None] = "relative"
    rotary_embedding_base: Annotated[int, Meta(ge=2, le=1 << 30)] = 10_000
    max_source_positions: Positions = 5000
    conv_depthwise_kernel_size: Width = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_multiple("hidden_size", self.hidden_size, 2 * self.num_attention_heads)  # sin, cos
        if self.conv_depthwise_kernel_size % 2 == 0:
            raise ValueError("conv_depthwise_kernel_size is even")
        _check_positions(2 * self.max_source_positions * self.hidden_size)


class Whisper(Struct, frozen=True, kw_only=True):
    """The encoder of log-mel frames."""

    d_model: Annotated[int, Meta(ge=4, le=8192)] = 384
    encoder_layers: Layers = 4
    encoder_attention_heads: Layers = 6
    encoder_ffn_dim: Inner = 1536
    activation_function: Activation = "gelu"
    num_mel_bins: Annotated[int, Meta(ge=1, le=512)] = 80
    max_source_positions: Positions = 1500
    scale_embedding: bool = False

    def __post_init__(self) -> None:
        """Check what must fit together; raises ValueError."""
        _check_multiple("d_model", self.d_model, self.encoder_attention_heads)
        _check_multiple("d_model", self.d_model, 2)
        _check_positions(self.max_source_positions * self.d_model)


SETTINGS: Mapping[str, type[Wave | Whisper]] = {
    "wav2vec2": Wav2Vec2,
    "hubert": Hubert,
    "unispeech": UniSpeech,
    "unispeech-sat": UniSpeechSat,
    "wavlm": WavLM,
    "data2vec-audio": Data2VecAudio,
    "wav2vec2-conformer": Wav2Vec2Conformer,
    "whisper": Whisper,
}
"""By family, as transformers names it."""


class WaveFront(Struct, frozen=True):
    """The feature extractor of samples."""

    feature_extractor_type: Literal["Wav2Vec2FeatureExtractor"] = "Wav2Vec2FeatureExtractor"
    feature_size: Annotated[int, Meta(ge=1, le=1)] = 1
    do_normalize: bool = True


class WhisperFront(Struct, frozen=True):
    """The feature extractor of Whisper."""

    feature_extractor_type: Literal["WhisperFeatureExtractor"] = "WhisperFeatureExtractor"
    feature_size: Annotated[int, Meta(ge=1, le=512)] = 80
    hop_length: Annotated[int, Meta(ge=16, le=1600)] = 160
    chunk_length: Annotated[int, Meta(ge=1, le=300)] = 30
    n_fft: Annotated[int, Meta(ge=16, le=8192)] = 400
    padding_value: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    dither: Annotated[float, Meta(ge=0, le=0)] = 0.0  # noise, drawn anew each time
    do_normalize: bool = False


REFUSED = {
    "per_layer_config": "its layers differ from each other",
    "quantization_config": "its weights are quantised",
    "transformers_weights": "its weights are in another file than the usual one",
}
"""Settings that would change numbers and are not followed here."""


def _check_multiple(name: str, value: int, part: int) -> None:
    if value % part:
        raise ValueError(f"{name} is {value}, which is no multiple of {part}")


def _check_positions(numbers: int) -> None:
    if numbers > _MOST_POSITIONS:
        raise ValueError(f"its table of positions has {numbers} numbers")
