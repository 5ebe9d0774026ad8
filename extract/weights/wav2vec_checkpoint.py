"""Reading `wav2vec_large.pt` as fairseq wrote it, without fairseq."""

from __future__ import annotations

import ast
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ...checkpoints import load_state, read_checkpoint
from ...errors import SerError
from ..backbones.wav2vec_model import Layer, Wav2VecModel

WHAT = "the wav2vec 1.0 model wav2vec_large.pt, as fairseq wrote it"

_FIXED: Mapping[str, object] = {
    "activation": "relu",
    "agg_zero_pad": False,
    "aggregator": "cnn",
    "log_compression": True,
    "no_conv_bias": False,
    "non_affine_group_norm": False,
    "residual_scale": 0.5,
    "skip_connections_agg": True,
    "skip_connections_feat": False,
}
"""Options of fairseq that change the network, and the values that ours is built for."""

_Channels = Annotated[int, Meta(ge=1, le=4096)]
_Kernel = Annotated[int, Meta(ge=1, le=64)]
_Layers = Annotated[list[tuple[_Channels, _Kernel, _Kernel]], Meta(min_length=1, max_length=32)]


def read_wav2vec(path: Path) -> Wav2VecModel:
    """Build the model that a checkpoint describes and fill it.

    Of the file's `args` the two lists of layers are used and the options that would change the
    network are checked; of its `model` the encoder and the aggregator are used. The head that
    predicts, the optimiser and everything else in it are left alone.

    Raises:
        SerError: damaged, holds code, or is not such a model.
    """
    checkpoint = read_checkpoint(path, WHAT, allowed=[Namespace])
    if not isinstance(checkpoint, Mapping) or not {"args", "model"} <= set(checkpoint):
        raise SerError(f"{path}: not {WHAT}: it has no args and model")
    args = checkpoint["args"]
    if not isinstance(args, Namespace):
        raise SerError(f"{path}: not {WHAT}: its args are no argparse.Namespace")
    for name, expected in _FIXED.items():
        value = getattr(args, name, expected)
        # By kind first: what a stranger's lists hold, in lists in lists, is not to be printed.
        if not isinstance(value, bool | int | float | str) or value != expected:
            plain = isinstance(value, bool | float | str)
            text = f"{value!s:.80}" if plain else f"of type {type(value).__name__}"
            raise SerError(f"{path}: a wav2vec of another kind: {name} is {text}, not {expected}")
    encoder = _layers(args, "conv_feature_layers", path)
    aggregator = _layers(args, "conv_aggregator_layers", path)
    # Around each layer of the aggregator leads a way that changes nothing.
    channels = {encoder[-1][0], *(layer[0] for layer in aggregator)}
    if len(channels) > 1 or any(stride != 1 for _, _, stride in aggregator):
        raise SerError(f"{path}: a wav2vec of another kind: its aggregator changes size")
    model = Wav2VecModel(encoder, aggregator)
    prefixes = ("feature_extractor.", "feature_aggregator.")
    load_state(model, checkpoint["model"], prefixes, path, WHAT)
    return model.eval()


def _layers(args: Namespace, name: str, path: Path) -> list[Layer]:
    """The layers that an argument lists: text such as `[(512, 10, 5), (512, 8, 4)]`."""
    text = getattr(args, name, None)
    try:
        if not isinstance(text, str) or len(text) > 10_000:
            raise ValueError
        return msgspec.convert(ast.literal_eval(text.strip()), _Layers)
    except Exception:  # whatever the text makes of `literal_eval`
        raise SerError(
            f"{path}: not {WHAT}: args.{name} is no list of (channels, kernel, stride) "
            f"but {text!r:.80}"
        ) from None
