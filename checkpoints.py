"""Reading torch checkpoints that strangers made: tensors and plain values, never code."""

from __future__ import annotations

import io
import os
import pickletools
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import SerError
from .files import open_regular

if TYPE_CHECKING:
    import torch


_ZIP = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of the older format: a number that means torch."""
_LEGACY_PICKLES = 5
"""Of the older format: that number, the version, the machine, the object, names of storages."""

_MOST_PICKLE = 4 << 20
_MOST_LEAVES = 1_000_000
"""In one tuple, tuples in it counted as often as they stand there."""
_EXPANSION = 4
"""How many times its size a file may unpack to; torch does not compress, and weights hardly can."""

_ITEMS = {8: "Double Long", 4: "Float Int", 2: "Half BFloat16 Short", 1: "Char Byte Bool"}
_STORAGES = {f"torch {name}Storage": size for size in _ITEMS for name in _ITEMS[size].split()}
"""Bytes of an item of each kind of storage."""
_PLAIN = frozenset(
    {
        *_STORAGES,
        "collections OrderedDict",
        "torch Size",
        "torch device",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        *(f"torch {dtype}" for dtype in ("bfloat16", "float16", "float32", "float64", "int64")),
    }
)
"""What tensors and plain values are made with."""


class AsksForCodeError(SerError):
    """A checkpoint that names functions or classes besides those of tensors."""


class NoCheckpointError(SerError):
    """Not what `torch.save` writes; the message says why."""


def inspect(file: BinaryIO, allowed: Collection[type] = ()) -> None:
    """Make sure that a file can be given to `torch.load`.

    Args:
        file: an open checkpoint, in either format; left at an arbitrary position.
        allowed: classes that it may name besides torch's own.

    Raises:
        AsksForCodeError: it names others.
        NoCheckpointError: damaged, no checkpoint, or made to exhaust memory or time.
    """
    names = _PLAIN.union(f"{kind.__module__} {kind.__qualname__}" for kind in allowed)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(len(_LEGACY))
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in texts
            if start.startswith(_ZIP):
                _inspect_zip(file, size, names)
            elif start == _LEGACY:
                pickles = io.BytesIO(file.read(_MOST_PICKLE))
                for _ in range(_LEGACY_PICKLES):
                    _inspect_pickle(pickles, names, size, None)
            else:
                raise NoCheckpointError("it begins like no checkpoint")
    except (SerError, MemoryError):
        raise
    except Exception as error:  # zipfile and pickletools raise what they like on damage
        raise NoCheckpointError(first_line(error)) from error


def _inspect_zip(file: BinaryIO, size: int, names: Collection[str]) -> None:
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        unpacked = sum(record.file_size for record in records)
        if unpacked > _EXPANSION * size + (1 << 20):
            raise NoCheckpointError(f"its {size} bytes would unpack to {unpacked}")
        sizes = {record.filename: record.file_size for record in records}
        if len(sizes) != len(records):
            raise NoCheckpointError("a record is there twice")
        pickles = [name for name in sizes if name.endswith("/data.pkl")]
        if len(pickles) != 1 or sizes[pickles[0]] > _MOST_PICKLE:
            raise NoCheckpointError("it has no data.pkl, several, or one that is too long")
        folder = f"{pickles[0].removesuffix('.pkl')}/"
        storages = {n.rpartition("/")[2]: sizes[n] for n in sizes if n.startswith(folder)}
        _inspect_pickle(io.BytesIO(archive.read(pickles[0])), names, size, storages)


@dataclass
class _Value:
    """Something on the stack of a pickle: how much is in it, and what is known of it."""

    leaves: int = 1
    known: Any = None
    items: tuple[_Value, ...] = ()


_MARK = _Value(0)


def _inspect_pickle(
    file: BinaryIO, names: Collection[str], size: int, storages: dict[str, int] | None
) -> None:
    """Follow one pickle to its end, without making anything of it.

    Args:
        storages: bytes of each storage of the file; None where only all of them are known.
    """
    stack: list[_Value] = []
    memo: dict[int, _Value] = {}
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            if argument not in names:
                raise AsksForCodeError(str(argument).replace(" ", "."))
        elif name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            raise AsksForCodeError("a name that it puts together")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(str(argument))])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            taken = _take(stack, opcode)
            if name == "BINPERSID":
                _check_storage(taken[0].items, size, storages)
            made = _Value(1 + sum(value.leaves for value in taken), argument)
            if name.startswith("TUPLE"):
                made.items = tuple(taken)
                if made.leaves > _MOST_LEAVES:
                    raise NoCheckpointError("tuples in tuples in tuples that never end")
            stack += [made] * len(opcode.stack_after)


def _take(stack: list[_Value], opcode: Any) -> list[_Value]:
    """What an opcode takes from the stack, in the order in which it was put there."""
    taken: list[_Value] = []
    below = opcode.stack_before
    if pickletools.markobject in below:
        while (value := stack.pop()) is not _MARK:
            taken.append(value)
        below = below[: below.index(pickletools.markobject)]
    return [*taken, *(stack.pop() for _ in below)][::-1]


def _check_storage(
    reference: tuple[_Value, ...], size: int, storages: dict[str, int] | None
) -> None:
    """Compare the bytes that a storage claims with those that are there."""
    known = [value.known for value in reference]
    if len(known) < 5 or known[0] != "storage" or not isinstance(known[4], int):
        raise NoCheckpointError("a storage of another kind than torch.save writes")
    count = known[4] * _STORAGES.get(str(known[1]), 1)
    held = size if storages is None else storages.get(str(known[2]), -1)
    if count < 0 or count > held or (storages is not None and count != held):
        raise NoCheckpointError(f"a storage claims {count} bytes, and {max(held, 0)} are there")


def read_checkpoint(
    path: Path,
    what: str,
    allowed: Sequence[type] = (),
    remedy: str = "Remove it and fetch it again",
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
    except Exception as error:  # torch raises what it likes on what is no checkpoint
        if (reason := outside_reason(error)) is not None:
            raise SerError(f"{path}: cannot be read ({reason})") from error
        reason = str(error) if isinstance(error, NoCheckpointError) else first_line(error)
        raise SerError(
            f"{path}: damaged or not a torch checkpoint ({reason}); expected {what}. {remedy}"
        ) from error


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
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()[:200]}" if lines else type(error).__name__


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
    named = {name: value for name, value in state.items() if isinstance(name, str)}
    chosen = {name: named[name] for name in named if name.startswith(tuple(prefixes))}
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
    shared = expected.keys() & found.keys()
    alike = {name for name in shared if expected[name][0] == found[name][0]}
    if odd := sorted({*expected, *found} - alike):
        raise SerError(
            f"{what}: {len(odd)} of its tensors are missing, unknown or of another shape, such as "
            f"{odd[0]:.200} ({_shape(found, odd[0])}; expected {_shape(expected, odd[0])})"
        )
    for name, (_, kind) in found.items():
        if expected[name][1].is_floating_point and kind not in numbers:
            raise SerError(f"{what}: {name} holds {kind}, expected floating-point numbers")


def _shape(of: Shapes, name: str) -> str:
    return " x ".join(map(str, of[name][0])) or "a number" if name in of else "none"
