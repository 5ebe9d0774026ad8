"""What a torch checkpoint asks for, found without obeying it: its pickles are read, not run.

`torch.load(weights_only=True)` runs no code, but a file of a few kilobytes can still make it take
all memory or never end: compressed records, sizes that are made up, tuples of tuples of tuples,
functions that allocate. Such files are told from what `torch.save` writes by reading them first.
"""

from __future__ import annotations

import io
import os
import pickletools
import warnings
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, BinaryIO

from .errors import SerError

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

_ITEM_BYTES = {
    "Double": 8,
    "Float": 4,
    "Half": 2,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
}
_STORAGES = {f"torch {name}Storage": size for name, size in _ITEM_BYTES.items()}
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
    names = _PLAIN.union(f"{found.__module__} {found.__qualname__}" for found in allowed)
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
    except SerError:
        raise
    except MemoryError:
        raise NoCheckpointError("reading its lists takes more memory than there is") from None
    except Exception as error:  # zipfile and pickletools raise what they like on damage
        raise NoCheckpointError(f"{type(error).__name__}: {error}") from error


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
        folder = pickles[0].removesuffix(".pkl")
        storages = {name: sizes[name] for name in sizes if name.startswith(f"{folder}/")}
        found = {name.rpartition("/")[2]: count for name, count in storages.items()}
        _inspect_pickle(io.BytesIO(archive.read(pickles[0])), names, size, found)


@dataclass
class _Value:
    """Something on the stack of a pickle: how much there is in it, and what is known of it."""

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
    if pickletools.markobject in opcode.stack_before:
        while (value := stack.pop()) is not _MARK:
            taken.append(value)
        below = opcode.stack_before.index(pickletools.markobject)
    else:
        below = len(opcode.stack_before)
    taken += [stack.pop() for _ in range(below)]
    return taken[::-1]


def _check_storage(
    reference: tuple[_Value, ...], size: int, storages: dict[str, int] | None
) -> None:
    """Compare the bytes that a storage claims with those that are there."""
    known = [value.known for value in reference]
    if len(known) < 5 or known[0] != "storage" or not isinstance(known[4], int):
        raise NoCheckpointError("a storage of another kind than torch.save writes")
    count = known[4] * _STORAGES.get(str(known[1]), 1)
    there = size if storages is None else storages.get(str(known[2]), -1)
    if count < 0 or count > there or (storages is not None and count != there):
        raise NoCheckpointError(f"a storage claims {count} bytes, and {max(there, 0)} are there")
