"""Reading torch checkpoints that strangers made: tensors and plain values, never code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from ..errors import SerError

if TYPE_CHECKING:
    import torch


def read_checkpoint(path: Path, what: str, allowed: Sequence[type] = ()) -> Any:
    """Load a file that `torch.save` wrote, in either of its formats, onto the CPU.

    Args:
        path: the file.
        what: what it should be, for messages.
        allowed: classes that it may hold besides torch's own; they must be mere containers.

    Raises:
        SerError: it cannot be read, is damaged, or wants more than to be read.
    """
    import torch

    try:
        path.open("rb").close()
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what it likes on what is no checkpoint
        text = str(error)
        if isinstance(error, UnpicklingError) and ("GLOBAL" in text or "safe_globals" in text):
            wanted = re.search(r"GLOBAL (\S+)", text)
            raise SerError(
                f"{path}: refused, because weights are tensors and plain values, and this file "
                f"asks for code{f' ({wanted[1]})' if wanted else ''}. Expected {what}"
            ) from error
        raise SerError(
            f"{path}: damaged or not a torch checkpoint ({type(error).__name__}); expected {what}. "
            "Remove it and fetch it again"
        ) from error


def load_state(
    module: torch.nn.Module, state: object, prefixes: Sequence[str], path: Path, what: str
) -> None:
    """Copy the tensors of a checkpoint into a module: all that it has, in the shapes it has.

    Args:
        module: gets the weights.
        state: names and tensors; names that begin otherwise than `prefixes` are left out.
        prefixes: of the names that belong to the module.
        path: the checkpoint.
        what: what it should be.

    Raises:
        SerError: the names or shapes are others.
    """
    import torch

    if not isinstance(state, Mapping):
        raise SerError(f"{path}: not {what}: it holds {type(state).__name__}, not named tensors")
    chosen = {
        name: value
        for name, value in state.items()
        if isinstance(name, str) and name.startswith(tuple(prefixes))
    }
    if not all(isinstance(value, torch.Tensor) for value in chosen.values()):
        raise SerError(f"{path}: not {what}: not all of its weights are tensors")
    expected = module.state_dict()
    odd = sorted(
        name
        for name in {*expected, *chosen}
        if name not in expected or name not in chosen or expected[name].shape != chosen[name].shape
    )
    if odd:
        raise SerError(
            f"{path}: not {what}: {len(odd)} of its tensors are missing, unknown or of another "
            f"shape, such as {odd[0]} ({_shape(chosen, odd[0])}; "
            f"expected {_shape(expected, odd[0])})"
        )
    module.load_state_dict(chosen)


def _shape(state: Mapping[str, torch.Tensor], name: str) -> str:
    return " x ".join(map(str, state[name].shape)) or "a number" if name in state else "none"
