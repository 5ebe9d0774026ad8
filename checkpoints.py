"""Reading torch checkpoints that strangers made: tensors and plain values, never code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import SerError
from .files import open_regular
from .pickles import AsksForCodeError, NoCheckpointError, inspect

if TYPE_CHECKING:
    import torch

FETCH_AGAIN = "Remove it and fetch it again"


def read_checkpoint(
    path: Path,
    what: str,
    allowed: Sequence[type] = (),
    remedy: str = FETCH_AGAIN,
    below: Path | None = None,
) -> Any:
    """Load a file that `torch.save` wrote, in either of its formats, onto the CPU.

    Args:
        path: the file.
        what: what it should be, for messages.
        allowed: classes that it may hold besides torch's own; they must be mere containers.
        remedy: what to do where it is damaged, for messages.
        below: a folder that the file must lie in, wherever links lead.

    Raises:
        SerError: it cannot be read, is damaged, wants more than to be read, or needs more memory
            than there is.
    """
    import torch

    try:
        with open_regular(path, below) as file:
            inspect(file, allowed)
            file.seek(0)
            with torch.serialization.safe_globals(list(allowed)):
                return torch.load(file, map_location="cpu", weights_only=True)
    except AsksForCodeError as error:
        raise SerError(
            f"{path}: refused, because weights are tensors and plain values, and this file asks "
            f"for code ({error}). Expected {what}"
        ) from error
    except NoCheckpointError as error:
        raise SerError(_damaged(path, str(error), what, remedy)) from error
    except Exception as error:  # torch raises what it likes on what is no checkpoint
        if (reason := outside_reason(error)) is not None:
            raise SerError(f"{path}: cannot be read ({reason})") from error
        raise SerError(_damaged(path, first_line(error), what, remedy)) from error


def _damaged(path: Path, reason: str, what: str, remedy: str) -> str:
    return f"{path}: damaged or not a torch checkpoint ({reason}); expected {what}. {remedy}"


def outside_reason(error: BaseException) -> str | None:
    """Why something failed, where the file that was read is not to blame; else None."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate" in str(error):
        return "there is not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return None


def first_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 200 characters, with its name."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line), "")
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


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
    check_tensors(shapes(module.state_dict()), shapes(chosen), f"{path}: not {what}")
    module.load_state_dict(chosen)


Shapes = Mapping[str, tuple[tuple[int, ...], "torch.dtype"]]
"""Shape and type of tensors by name."""


def shapes(state: Mapping[str, torch.Tensor]) -> Shapes:
    """The shapes and types of tensors."""
    return {name: (tuple(value.shape), value.dtype) for name, value in state.items()}


def check_tensors(expected: Shapes, found: Shapes, what: str) -> None:
    """Make sure that tensors are those of a network: names, shapes, and numbers for numbers.

    Raises:
        SerError: they are not; the message begins with `what`.
    """
    import torch

    numbers = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
    odd = sorted(
        name
        for name in {*expected, *found}
        if name not in expected or name not in found or expected[name][0] != found[name][0]
    )
    if odd:
        raise SerError(
            f"{what}: {len(odd)} of its tensors are missing, unknown or of another shape, such as "
            f"{odd[0]:.200} ({_shape(found, odd[0])}; expected {_shape(expected, odd[0])})"
        )
    for name, (_, kind) in found.items():
        if expected[name][1].is_floating_point and kind not in numbers:
            raise SerError(f"{what}: {name} holds {kind}, expected floating-point numbers")


def _shape(of: Shapes, name: str) -> str:
    return " x ".join(map(str, of[name][0])) or "a number" if name in of else "none"
