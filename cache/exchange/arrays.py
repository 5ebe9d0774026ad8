"""What is believed of somebody else's array: floats, of one or two axes and bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InputError, MissingPackageError
from ..keys import MAX_DIM

Rows = npt.NDArray[np.floating[Any]]
"""(frames, dim), or (dim,) for one row."""

Item = tuple[str, Callable[[], Rows]]
"""What a source calls an utterance, and what reads its rows; to be called before the next item is
asked for, or not at all."""

MOST_BYTES = 512 << 20
"""Of one utterance in a source: nearly two hours of 768 floats fifty times a second."""


@contextmanager
def told(kind: str, path: Path | None = None) -> Iterator[None]:
    """Make one error of whatever is wrong with a file; what reads it raises nearly anything.

    Args:
        kind: of file, as people call it.
        path: what the message begins with; None where the caller says it.

    Raises:
        InputError: in place of it.
    """
    name = f"{path}: " if path else ""
    try:
        yield
    except (MemoryError, MissingPackageError):
        raise
    except InputError as error:
        if str(error).startswith(name):
            raise
        raise InputError(f"{name}{error}") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise InputError(f"{name}cannot be read as {kind}: {reason:.200}") from error


def check_shape(shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """Refuse, before anything is read, what cannot be the feature of one utterance.

    Raises:
        InputError: without a name; the caller says of what.
    """
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InputError(f"expected floats of 16, 32 or 64 bits, got {dtype}")
    if len(shape) not in (1, 2):
        raise InputError(f"expected the shape (frames, dim) or (dim,), got {tuple(shape)}")
    if not all(shape):
        raise InputError(f"is empty, of shape {tuple(shape)}")
    if shape[-1] > MAX_DIM:
        raise InputError(f"{shape[-1]} columns; at most {MAX_DIM} are taken")
    if prod(shape) * dtype.itemsize > MOST_BYTES:  # of Python's integers: no overflow
        raise InputError(f"shape {tuple(shape)}: one utterance may take {MOST_BYTES >> 20} MB")


def check_offsets(shape: Sequence[int], dtype: np.dtype[Any], utterances: int) -> None:
    """Refuse, before they are read, what cannot be the offsets of so many utterances.

    Raises:
        InputError: without a file's name.
    """
    if dtype.kind not in "iu" or tuple(shape) != (utterances + 1,):
        raise InputError(
            f"offsets: expected {utterances + 1} integers, one more than there are ids, got "
            f"{dtype} of shape {tuple(shape)}"
        )


def check_rising(offsets: Sequence[int], rows: int) -> None:
    """Refuse offsets that do not part a matrix of so many rows into pieces, none of them empty.

    Raises:
        InputError: without a file's name.
    """
    rising = all(one < other for one, other in pairwise(offsets))
    if offsets[0] != 0 or offsets[-1] != rows or not rising:
        raise InputError(f"offsets: expected to rise from 0 to the {rows} rows of frames")
