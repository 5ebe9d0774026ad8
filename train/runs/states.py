"""The weights of models as named tensors in a file, which a stranger may have made."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..model import build
from ..network.ensemble import Ensemble
from ..network.recogniser import Recogniser
from ..network.spec import ModelSpec

State = Mapping[str, Tensor]
"""The weights of a model by name."""

_NAME = re.compile(r"(\d{1,9})/(\d{1,9})/(\d{1,9})/([A-Za-z0-9_.-]+)")


def model_prefix(repeat: int, fold: int, member: int) -> str:
    """The names of a model's tensors begin with repeat, fold and member."""
    return f"{repeat}/{fold}/{member}/"


def read_states(path: Path, repeat: int, fold: int | None = None) -> dict[int, list[State]]:
    """The weights of the models of a repeat, by fold; all others stay in the file.

    Args:
        fold: only this one; None: all.

    Raises:
        OSError, ValueError: it is no such file, or has other names than those of models.
    """
    states: dict[int, dict[int, dict[str, Tensor]]] = defaultdict(lambda: defaultdict(dict))
    try:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                if not (match := _NAME.fullmatch(name)):
                    raise ValueError(f"{path.name}: {name[:80]!r} is not the name of a weight")
                of_repeat, of_fold, member = map(int, match.groups()[:3])
                if of_repeat == repeat and fold in (None, of_fold):
                    states[of_fold][member][match[4]] = file.get_tensor(name)
    except (SafetensorError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    return {
        number: [members[member] for member in sorted(members)]
        for number, members in sorted(states.items())
    }


def ensemble_of(
    spec: ModelSpec,
    folds: Mapping[int, Sequence[State]],
    temperatures: Mapping[int, Mapping[str, float]],
) -> Ensemble:
    """The models that have these weights, as one, ready to predict: the mean of the folds, each of
    which is the mean of its members, calibrated.

    Args:
        folds: at least one.
        temperatures: by fold and corpus; of a fold that is not there nothing is calibrated.

    Raises:
        ValueError: as `check_state`.
    """
    ensembles = [
        Ensemble([_loaded(spec, state) for state in states], temperatures.get(fold))
        for fold, states in folds.items()
    ]
    return (ensembles[0] if len(ensembles) == 1 else Ensemble(ensembles)).eval()


def _loaded(spec: ModelSpec, state: State) -> Recogniser:
    model = check_state(spec, state)
    model.load_state_dict(dict(state), assign=True)
    return model


def check_state(spec: ModelSpec, state: State) -> Recogniser:
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
            raise ValueError(f"{name!r} is {_described(value)}, expected {_described(wanted)}")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name!r} has values that are not finite")
    return model


def _described(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
