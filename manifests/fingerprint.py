"""What a recording sounds like, in 63 characters: for copies that do not have the same samples.

A fingerprint is made of the spectrogram between 300 and 2800 Hz, which telephones and codecs keep.
What its loudness over time and its mean spectrum alone would give is taken away: what is left is
how the spectrum moves. That is summed, over the bins, with random signs, and over time, with slow
sine waves that count from the middle of the sound: silence at the ends, level, polarity, rate and
depth have no part in it. `docs/leaks.md` has the distances that were measured.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..remembered import Remembered
from .collisions import colliding
from .unions import leaders

if TYPE_CHECKING:
    import pandas as pd

FINGERPRINT = "fingerprint"
"""The column of a manifest that holds them."""

WINDOW, HOP = 0.064, 0.016
"""Seconds of a frame of the spectrogram, and from one to the next."""

BINS = range(19, 180)
"""Bins of 1 / WINDOW Hz: 297 to 2797 Hz."""

VALUES = 45
"""Complex numbers in a fingerprint; each is a byte, four bits a coordinate."""

RHYTHMS = 0.5, 4.0
"""Hertz of the slowest and the fastest sine wave."""

ALIKE = 0.33
"""Fingerprints are unit vectors: the distance up to which two recordings are copies."""

SHIFT = 0.15
"""Seconds by which coding may move the middle of the sound."""

SAME_SPREAD, SAME_LENGTH = 0.03, 0.5
"""Copies agree in one of two: in the spread of their sound, as a ratio, or in seconds of length."""

_STEP = 0.35  # of the last bit of a coordinate, in standard deviations

_SPREADS = 2000, 20000
"""The spread as two bytes: 2000 steps to the natural logarithm, from exp(-10) seconds."""

PATTERN = "[A-Za-z0-9_-]{63}"
"""Of one that is not blank."""

_BLOCK = 512
_CANDIDATES = 1 << 16
_LEAST = 1 - ALIKE**2 / 2
"""Product of the sizes of two that are alike: the cosine of ALIKE."""

MOST_COMPARED = 20_000
"""Recordings of which each is compared with each, which takes a second."""


def is_fingerprint(text: str) -> bool:
    """Whether `text` is a fingerprint; blank is that of a sound in which nothing moves."""
    return not text or bool(re.fullmatch(PATTERN, text))


def fingerprint(mono: npt.NDArray[np.float32], rate: int) -> str:
    """Give the fingerprint of a sound; blank if its spectrum does not move at all.

    Args:
        mono: shape (samples,).
        rate: samples per second.
    """
    signs, rhythms = _projection()
    size, hop = max(round(WINDOW * rate), 1), max(round(HOP * rate), 1)
    signal = np.pad(mono - np.float32(mono.mean(dtype=np.float64)), (size, 2 * size))
    frames = np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]
    window = np.hanning(size + 1)[:size].astype(np.float32)
    moved, loud = np.zeros(VALUES, np.complex128), np.zeros(VALUES, np.complex128)
    spectrum, moments = np.zeros(len(BINS)), np.zeros(3)
    for first in range(0, len(frames), _BLOCK):
        magnitude = _magnitude(frames[first : first + _BLOCK] * window)
        loudness = magnitude.sum(axis=1)
        time = np.arange(first, first + len(magnitude)) * (hop / rate)
        waves = np.exp(1j * np.outer(time, rhythms))
        moved += ((magnitude @ signs) * waves).sum(axis=0)
        loud += (loudness[:, None] * waves).sum(axis=0)
        spectrum += magnitude.sum(axis=0)
        moments += [(loudness * time**power).sum() for power in range(3)]
    if not moments[0] > 0:
        return ""
    middle = moments[1] / moments[0]
    spread = np.sqrt(max(moments[2] / moments[0] - middle**2, 1e-6))
    values = (moved - loud * (spectrum @ signs) / moments[0]) * np.exp(-1j * middle * rhythms)
    length = np.linalg.norm(values)
    # A sound that does not move leaves the rounding of 32 bits.
    if not length > 1e-6 * moments[0]:
        return ""
    return _write(values / length, float(spread))


def _magnitude(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Give the magnitudes of BINS, shape (frames, bins); zero above half the rate."""
    import scipy.fft

    bins = np.abs(scipy.fft.rfft(frames, axis=1)[:, BINS.start : BINS.stop]).astype(np.float64)
    return np.pad(bins, ((0, 0), (0, len(BINS) - bins.shape[1])))


@cache
def _projection() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the signs, shape (bins, values), and the rhythms in radians a second; for good."""
    count = len(BINS) * VALUES
    drawn = np.frombuffer(hashlib.shake_256(b"ser fingerprint").digest(count // 8 + 1), np.uint8)
    signs = np.unpackbits(drawn)[:count].reshape(len(BINS), VALUES).astype(np.float64) * 2 - 1
    return signs, 2 * np.pi * np.geomspace(*RHYTHMS, VALUES)


def _write(values: npt.NDArray[np.complex128], spread: float) -> str:
    step = _STEP / np.sqrt(2 * VALUES)
    steps = np.clip(np.floor([values.real / step, values.imag / step]), -8, 7).astype(int) + 8
    slope, start = _SPREADS
    coded = int(np.clip(round(slope * np.log(spread)) + start, 0, 60000))
    data = coded.to_bytes(2, "big") + bytes((16 * steps[0] + steps[1]).tolist())
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(texts: Sequence[str]) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float64]]:
    """Give the unit vectors, shape (texts, VALUES), and the logarithms of the spreads."""
    values, spreads = _read(texts)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values, spreads


def _read(texts: Sequence[str]) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float64]]:
    """The same as it is written: the vectors in whole numbers, odd ones up to 15."""
    # With one more character each is a whole number of bytes, and all are decoded at once.
    data = base64.urlsafe_b64decode("".join(text + "A" for text in texts))
    rows = np.frombuffer(data, np.uint8).reshape(len(texts), VALUES + 3)[:, :-1]
    values = np.empty((len(texts), VALUES), np.complex64)
    values.real = (rows[:, 2:] >> 4) * np.float32(2) - 15
    values.imag = (rows[:, 2:] & 15) * np.float32(2) - 15
    slope, start = _SPREADS
    return values, (rows[:, :2] @ [256.0, 1.0] - start) / slope


def distances(
    one: npt.NDArray[np.complex64], other: npt.NDArray[np.complex64]
) -> npt.NDArray[np.float32]:
    """Give the distance of each vector of `one` from that of `other` in the same place."""
    shifts = np.linspace(-SHIFT, SHIFT, 31)
    turns = np.exp(1j * np.outer(_projection()[1], shifts)).astype(np.complex64)
    cosine = ((one * other.conj()) @ turns).real.max(axis=1)
    distance: npt.NDArray[np.float32] = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return distance


def alike(texts: Sequence[str], durations: Sequence[float]) -> npt.NDArray[np.int64]:
    """Find the pairs of recordings that are copies of each other.

    Up to MOST_COMPARED, each is compared with each; of more, those that `colliding` gives, which
    passes by a few of the copies that are hardly alike.

    Args:
        texts: their fingerprints, none blank.
        durations: their lengths in seconds.

    Returns:
        Shape (pairs, 2): places in `texts`, the smaller first.
    """
    if len(texts) < 2:
        return np.zeros((0, 2), np.int64)
    written, spreads = _read(texts)
    values = written / np.linalg.norm(written, axis=1, keepdims=True)
    sizes = np.abs(values)  # which no shift changes: their distance is never the larger one
    measures = ((spreads, SAME_SPREAD), (np.asarray(durations, np.float64), SAME_LENGTH))
    if len(texts) <= MOST_COMPARED:
        near = _near(sizes, measures)
    else:
        near = _near_of(colliding(written), sizes, measures)
    pairs = np.unique(np.concatenate([np.zeros((0, 2), np.int64), *near]), axis=0)
    close = [
        distances(values[some[:, 0]], values[some[:, 1]]) <= ALIKE
        for some in np.array_split(pairs, len(pairs) // _CANDIDATES + 1)
    ]
    return pairs[np.concatenate(close)]


def _copies(
    audios: Sequence[str], texts: Sequence[str], durations: Sequence[float]
) -> npt.NDArray[np.int64]:
    """Find the pairs of recordings that are copies, the same ones in every order of recordings.

    Those of many are remembered, for a million take half a minute.

    Returns:
        Shape (pairs, 2): places in `audios`.
    """

    def find() -> npt.NDArray[np.int64]:
        order = sorted(range(len(audios)), key=audios.__getitem__)
        pairs = alike([texts[place] for place in order], [durations[place] for place in order])
        return np.array(order, np.int64)[pairs]

    if len(texts) <= MOST_COMPARED:
        return find()
    asked = "\n".join([f"{_SEARCH} {len(texts)}", *audios, *texts]).encode()
    pairs = Remembered.of_user("ser-copies", ".bin").found(
        asked + np.asarray(durations, "<f8").tobytes(),
        bytes,
        lambda: find().astype("<i8").tobytes(),
    )
    return np.frombuffer(pairs, "<i8").astype(np.int64).reshape(-1, 2)


_SEARCH = 2
"""To be raised whenever `alike` finds other pairs."""

Measures = Sequence[tuple[npt.NDArray[np.float64], float]]
"""What copies agree in, in one at least: of every recording, and by how much two may differ."""


def _near(sizes: npt.NDArray[np.float32], measures: Measures) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs that may be alike, by comparing all; some twice."""
    # What is far from each other in all measures need not be compared.
    for measure, same in measures:
        order = np.argsort(measure, kind="stable")
        ends = np.searchsorted(measure[order], measure[order] + same, "right")
        for first in range(0, len(sizes), _BLOCK):
            rows = np.arange(first, min(first + _BLOCK, len(sizes)))
            columns = np.arange(first, ends[rows[-1]])
            near = sizes[order[rows]] @ sizes[order[columns]].T > _LEAST
            near &= (columns > rows[:, None]) & (columns < ends[rows, None])
            yield np.sort(order[first + np.argwhere(near)], axis=1)


def _near_of(
    some: Iterable[npt.NDArray[np.int64]], sizes: npt.NDArray[np.float32], measures: Measures
) -> Iterator[npt.NDArray[np.int64]]:
    """Of some pairs those that may be alike; some twice."""
    for pairs in some:
        one, other = pairs.T
        same = [np.abs(measure[one] - measure[other]) <= most for measure, most in measures]
        pairs = pairs[np.logical_or.reduce(same)]
        yield pairs[(sizes[pairs[:, 0]] * sizes[pairs[:, 1]]).sum(axis=1) > _LEAST]


def recordings(tables: Sequence[pd.DataFrame]) -> list[tuple[str, ...]]:
    """Name the recording of each utterance: the first hash, by alphabet, among its copies.

    Copies have the same audio hash, or fingerprints that are alike; copies of copies are copies.
    Of manifests whose tables have no fingerprints, the hashes alone are compared. The names are
    those of each table, in the order of its rows.
    """
    name: dict[str, str] = {}
    heard = [
        table.loc[table[FINGERPRINT] != "", ["audio_hash", FINGERPRINT, "duration"]]
        for table in tables
        if FINGERPRINT in table.columns
    ]
    if heard:
        import pandas as pd

        known = pd.concat(heard).drop_duplicates("audio_hash", keep="last")
        audios, texts, seconds = (column.tolist() for _, column in known.items())
        pairs = _copies(audios, texts, seconds).tolist()
        name = leaders((audios[one], audios[other]) for one, other in pairs)
    return [
        tuple(name.get(audio, audio) for audio in table["audio_hash"].tolist()) for table in tables
    ]
