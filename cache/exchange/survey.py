"""Looking through features that somebody else made, before anything is written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ...errors import InputError, listing
from .arrays import Rows, check_shape
from .names import Names, Utterance
from .sources import Source

if TYPE_CHECKING:
    from ...manifests import Manifest

Kind = Literal["sequence", "vector"]
Dtype = Literal["float32", "float16"]
Progress = Callable[[int, int], None]

_SHOWN = 5


@dataclass
class Survey:
    """What was found.

    Attributes:
        dtype, kind, dim: of what is to be stored.
        frames: of each utterance that was found.
        digests: of each utterance's rows, see `digest`.
        unknown: names that are no utterance's.
    """

    dtype: Dtype
    kind: Kind = "vector"
    dim: int = 0
    frames: dict[Utterance, int] = field(default_factory=dict)
    digests: dict[Utterance, bytes] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Of all rows as 32-bit floats, in the order of corpora and ids, whatever they came in."""
        whole = hashlib.sha256()
        for (corpus, id), of_rows in sorted(self.digests.items()):
            whole.update(f"{corpus}/{id} {of_rows.hex()}\n".encode())
        return whole.hexdigest()


def survey(
    sources: Sequence[Source],
    manifests: Sequence[Manifest],
    kind: Kind | None,
    dtype: Dtype | None,
    progress: Progress,
) -> Survey:
    """Read all of it once, and refuse what cannot be a feature of these corpora.

    Args:
        kind, dtype: what it is to be; None: what it is.

    Raises:
        InputError: what is wrong with the utterances, the first few of them named; a source that
            cannot be read.
    """
    names, total = Names(manifests), sum(map(len, manifests))
    found = Survey(dtype or "float32")
    named: dict[Utterance, str] = {}
    dims: dict[Utterance, int] = {}
    problems: list[tuple[str, str]] = []
    halves = True
    for name, load in chain.from_iterable(source() for source in sources):
        try:
            utterance = names.find(name)
            if utterance is None:
                found.unknown.append(name)
                continue
            if utterance in named:
                raise InputError(f"is the utterance that {named[utterance]!r} is")
            named[utterance] = name
            given = load()
            rows = as_floats(given, found.dtype)
        except InputError as error:
            problems.append((name, str(error)))
            continue
        halves = halves and given.dtype.itemsize == 2
        found.frames[utterance], dims[utterance] = rows.shape
        found.digests[utterance] = digest(rows)
        progress(len(found.frames), total)
    if not named and not problems:
        raise InputError(
            "none of the names there is an utterance of "
            f"{' or '.join(manifest.corpus for manifest in manifests)}: "
            f"{listing(map(repr, found.unknown)) or 'there are none'}. A name is an id or a path "
            f"of the manifest, such as {manifests[0].ids[0]!r}"
        )
    found.dim = Counter(dims.values()).most_common(1)[0][0] if dims else 0
    others = {utterance: dim for utterance, dim in dims.items() if dim != found.dim}
    problems += [
        (named[utterance], f"{dim} columns, and others have {found.dim}{_turned(found, utterance)}")
        for utterance, dim in others.items()
    ]
    single = all(frames == 1 for frames in found.frames.values())
    found.kind = kind or ("vector" if single else "sequence")
    if found.kind == "vector" and not single:
        problems += [
            (named[utterance], f"{frames} rows; a vector has one")
            for utterance, frames in found.frames.items()
            if frames != 1
        ]
    if problems:
        raise InputError(_told(problems))
    if dtype is None and halves:
        found.dtype = "float16"
    return found


def as_floats(given: Rows, dtype: Dtype) -> npt.NDArray[np.float32]:
    """The rows of an utterance as 32-bit floats, (frames, dim).

    Raises:
        InputError: they are none, not finite, or do not fit into what is to be stored.
    """
    check_shape(given.shape, given.dtype)
    if not np.isfinite(given).all():
        count = int((~np.isfinite(given)).sum())
        raise InputError(f"{count} of {given.size} values are not finite")
    top = float(np.abs(given).max())
    if top > float(np.finfo(dtype).max):
        raise InputError(f"{top:.6g} does not fit into {dtype}")
    return np.ascontiguousarray(np.atleast_2d(given), np.float32)


def digest(rows: npt.NDArray[np.float32]) -> bytes:
    """The SHA-256 of the rows of one utterance and their shape."""
    of = hashlib.sha256(f"{len(rows)} {rows.shape[1]}\n".encode())
    of.update(rows.astype("<f4", copy=False).data)
    return of.digest()


def _turned(found: Survey, utterance: Utterance) -> str:
    """A hint where one may have given (dim, frames)."""
    frames = set(found.frames.values())
    one_height = len(frames) == 1 and found.frames[utterance] > 1
    return "; if they are (dim, frames), transpose them" if one_height else ""


def _told(problems: Sequence[tuple[str, str]]) -> str:
    """Each reason once, with the names that it is true of."""
    names: dict[str, list[str]] = {}
    for name, reason in problems:
        names.setdefault(reason, []).append(name)
    lines = [f"  {listing(each, 3)}: {reason}" for reason, each in names.items()]
    more = f"  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    count = "one utterance" if len(problems) == 1 else f"{len(problems)} utterances"
    head = f"{count} cannot be imported, and nothing was"
    return "\n".join(filter(None, (head, *lines[:_SHOWN], more)))


def each_found(
    sources: Sequence[Source], names: Names, found: Survey
) -> Iterator[tuple[Utterance, Callable[[], npt.NDArray[np.float32]]]]:
    """The utterances of the sources again, and what reads the rows of each, as they were found.

    Raises:
        InputError: from reading, where a source is not what it was.
    """
    for name, load in chain.from_iterable(source() for source in sources):
        utterance = names.find(name)
        if utterance is None or utterance not in found.digests:
            continue
        of = found.digests[utterance]
        yield utterance, partial(_same, name, load, found.dtype, of)


def _same(name: str, load: Callable[[], Rows], dtype: Dtype, of: bytes) -> npt.NDArray[np.float32]:
    rows = as_floats(load(), dtype)
    if digest(rows) != of:
        raise InputError(
            f"{name}: changed while it was imported. Run the same command again when nobody writes "
            "there"
        )
    return rows
