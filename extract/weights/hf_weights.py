"""From the files of a speech encoder's folder to its network: those files alone, all of it.

transformers is given checked settings and tensors, and never sees the folder: it would also look
for adapters, other forms of weights, other files that config.json names, kernels and code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import asdict

from ...checkpoints import check_tensors, first_line, outside_reason, read_checkpoint, shapes
from ...errors import MissingPackageError, SerError, install_command
from ...files import open_regular
from ...machine import free_on_host
from ..backbones.speech_models import SpeechModel
from ..packages import need
from .model_folder import SAFE, bounds, weight_files

_TRAINING = dict.fromkeys(
    (
        "activation_dropout",
        "attention_dropout",
        "feat_proj_dropout",
        "hidden_dropout",
        "layerdrop",
        "mask_feature_prob",
        "mask_time_prob",
    ),
    0.0,
)
"""Settings that count in training alone."""
_UNUSED = re.compile(r"masked_spec_embed$")
"""Tensors that count in training alone."""

_TYPES = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
"""Of numbers, as safetensors names them; others are no weights."""


@dataclass(frozen=True)
class _Tensor:
    """A tensor of a file, which is read when it is asked for."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]


def load_network(model: SpeechModel, device: torch.device) -> Any:
    """The encoder of a folder, ready to run; of Whisper the encoder alone.

    The shapes that the settings imply are compared with those of the files before anything is
    allocated.

    Raises:
        MissingPackageError: transformers cannot be imported.
        SerError: the files cannot be read, are damaged, incomplete, of another model, ask for
            code, or need more memory than there is.
    """
    make, config = _network_class(model)
    try:
        with _quiet():
            with torch.device("meta"):
                state = make(config).state_dict()
            expected = {n: s for n, s in shapes(state).items() if not _UNUSED.search(n)}
            found = {n: t for n, t in _tensors(model).items() if n in expected}
            check_tensors(
                expected,
                {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()},
                f"{model.folder}: the weights are not those of a {model.family} encoder",
            )
            needed = sum(4 * prod(shape) for shape, _ in expected.values())
            _check_memory(model, needed)
            network, info = make.from_pretrained(
                None,
                config=config,
                state_dict={name: tensor.read() for name, tensor in found.items()},
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
            left = [name for name in info["missing_keys"] if not _UNUSED.search(name)]
            if left:  # transformers fills them with random numbers
                raise SerError(f"{model.folder}: {len(left)} weights were not used: {left[0]}")
            return network.to(device).eval()
    except SerError:
        raise
    except Exception as error:  # of transformers, safetensors, torch, the system
        raise SerError(_explain(model, error)) from error


def _network_class(model: SpeechModel) -> tuple[Any, Any]:
    """The class of a model's network, and its configuration: checked settings, nothing else."""
    transformers = need("transformers", extra="hf")
    start = type(model.settings).__name__
    try:
        config_class = getattr(transformers, f"{start}Config")
        if model.chunk:
            make = need("transformers.models.whisper.modeling_whisper", extra="hf").WhisperEncoder
        else:
            make = getattr(transformers, f"{start}Model")
    except (ImportError, AttributeError) as error:
        raise MissingPackageError(
            f"feature hf: transformers cannot be used ({first_line(error)}): "
            + install_command("hf")
        ) from error
    # Never what the folder says: that can compile code, or fetch it.
    attention = "sdpa" if getattr(make, "_supports_sdpa", False) else "eager"
    training = {name: value for name, value in _TRAINING.items() if hasattr(config_class, name)}
    settings = {**training, **asdict(model.settings), "apply_spec_augment": False}
    return make, config_class(**settings, attn_implementation=attention)


def _tensors(model: SpeechModel) -> dict[str, _Tensor]:
    """The tensors of a model's files, under the names that its network has for them.

    Raises:
        SerError: a file cannot be read or is damaged, or two tensors have one name.
    """
    folder = model.folder
    form, parts = weight_files(folder)
    found: dict[str, _Tensor] = {}
    for part in parts:
        path = folder / part
        try:
            with open_regular(path, bounds(folder)):
                pass
        except OSError as error:
            raise SerError(f"{path}: cannot be read ({error.strerror})") from error
        read = _safe_tensors if form is SAFE else _torch_tensors
        for name, tensor in read(path, bounds(folder)):
            own = _own_name(name, model.family)
            if own in found:
                raise SerError(f"{path}: a second tensor for {own:.200}, which may be one alone")
            found[own] = tensor
    return found


def _own_name(name: str, family: str) -> str:
    """What the network calls a tensor: without what a head for a task put in front.

    >>> _own_name("wav2vec2.encoder.pos_conv_embed.conv.weight_g", "wav2vec2")
    'encoder.pos_conv_embed.conv.parametrizations.weight.original0'
    """
    if family == "whisper":
        name = name.removeprefix("model.").removeprefix("encoder.")
    else:
        name = name.removeprefix(f"{family.replace('-', '_')}.")
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if name.endswith(f".conv.{old}"):  # as torch named the parts of a norm of weights
            name = f"{name.removesuffix(old)}parametrizations.weight.{new}"
    return name


def _safe_tensors(path: Path, below: Path) -> Iterator[tuple[str, _Tensor]]:
    from safetensors import safe_open

    file: Any = safe_open(path, framework="pt", device="cpu")
    for name in file.keys():  # noqa: SIM118 - it is no mapping
        part = file.get_slice(name)
        dtype = _TYPES.get(str(part.get_dtype()), torch.int8)
        yield name, _Tensor(tuple(part.get_shape()), dtype, partial(file.get_tensor, name))


def _torch_tensors(path: Path, below: Path) -> Iterator[tuple[str, _Tensor]]:
    state = read_checkpoint(path, "the weights of a speech encoder", below=below)
    if not isinstance(state, dict):
        raise SerError(f"{path}: holds {type(state).__name__}, expected named tensors")
    for name, tensor in state.items():
        if isinstance(name, str) and isinstance(tensor, torch.Tensor):
            yield name, _Tensor(tuple(tensor.shape), tensor.dtype, partial(torch.as_tensor, tensor))


def _check_memory(model: SpeechModel, needed: int) -> None:
    free = free_on_host()
    if needed > free:
        raise SerError(
            f"{model.folder}: there is not enough memory: its weights take {needed / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free"
        )


def _explain(model: SpeechModel, error: Exception) -> str:
    """What happened, and what to do only where the files are to blame."""
    if isinstance(error, ImportError):
        return f"feature hf: transformers cannot be used ({first_line(error)})"
    reason = outside_reason(error)
    if reason is not None:
        return f"{model.folder}: cannot be loaded ({reason})"
    if type(error).__name__ == "SafetensorError":
        return (
            f"{model.folder}: its weights are damaged or truncated ({first_line(error)}). Remove "
            "the folder and fetch it again"
        )
    return f"{model.folder}: transformers cannot make a network of it ({first_line(error)})"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the progress bars and reports of transformers away: what matters is checked here."""
    logging: Any = need("transformers", extra="hf").utils.logging
    before = logging.get_verbosity()
    bar = logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()
