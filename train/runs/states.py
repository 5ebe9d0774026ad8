"""The weights of a model as named tensors in a file, which a stranger may have made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..model import build
from ..network.recogniser import Recogniser
from ..network.spec import ModelSpec

_NAME = re.compile(r"\d{1,9}/\d{1,9}/\d{1,9}/[A-Za-z0-9_.-]+")


def load_state(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose names begin so, without that; the others stay there.

    Raises:
        OSError, ValueError: it is no such file, or has other names than those of models.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            strange = [name for name in names if not _NAME.fullmatch(name)]
            if strange:
                raise ValueError(f"{path.name}: {strange[0][:80]!r} is not the name of a weight")
            return {
                name.removeprefix(prefix): file.get_tensor(name)
                for name in names
                if name.startswith(prefix)
            }
    except (SafetensorError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def model_of(spec: ModelSpec, state: Mapping[str, Tensor]) -> Recogniser:
    """The model that has these weights, ready to predict.

    Raises:
        ValueError: as `check_state`.
    """
    model = check_state(spec, state)
    model.load_state_dict(dict(state), assign=True)
    return model.eval()


def check_state(spec: ModelSpec, state: Mapping[str, Tensor]) -> Recogniser:
    """Check weights against what the model has; it is returned without any, and took no memory.

    Raises:
        ValueError: a tensor is missing, is of nothing that the model has, or has another shape or
            dtype, or values that are not finite.
    """
    try:
        with torch.device("meta"):
            model = build(spec)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its model cannot be built: {error}") from None
    expected = model.state_dict()
    for name in sorted(expected.keys() ^ state.keys()):
        problem = "is missing" if name in expected else "is no part of the model"
        raise ValueError(f"{name[:80]!r} {problem}")
    for name, value in state.items():
        wanted = expected[name]
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise ValueError(f"{name!r} is {_said(value)}, expected {_said(wanted)}")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name!r} has values that are not finite")
    return model


def _said(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
