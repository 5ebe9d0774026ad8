"""openSMILE's feature sets: `egemaps`, `compare`, `emobase`, and the descriptors beneath them."""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any, ClassVar

import numpy as np

from ...errors import AudioError
from ..audio import RATE
from ..packages import need
from .backbone import Array, Backbone

_TOP = np.float32(32767 / 32768)
"""openSMILE gets 16-bit samples, and its package lets +1 wrap around to -1."""
_LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}
"""What a key calls a level, and what `opensmile.FeatureLevel` does."""


class OpenSmile(Backbone):
    """One feature set, named in `constants`: statistics over a whole utterance, or what they are
    of, its low-level descriptors every 10 ms.

    Equal to `opensmile.Smile(...).process_signal(samples, 16000)` where no sample is at full scale.
    openSMILE is free for research only: its licence covers what is computed with it, too.
    """

    licence = "audEERING research licence, not for commercial use (opensmile)"
    longest: ClassVar[float] = math.inf
    """Seconds that memory allows."""

    def prepare(self, samples: Array) -> Array:
        """Return the functionals, shape (dim,), or the descriptors, shape (frames, dim).

        Descriptors have a row for every window of 60 ms that lies in the utterance as a whole, of
        which row t begins at 10 t ms, and one more at its end.

        Raises:
            AudioError: it is shorter than a window, too long, or a value is not finite.
        """
        if len(samples) > self.longest * RATE:
            raise AudioError(f"too long: {self.name} is of {self.longest:g} s at most")
        smile = _smile(str(self.constants["feature_set"]), str(self.constants["level"]))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Segment too short", category=UserWarning)
            found = smile(np.clip(samples, -1, _TOP), RATE)  # (1, dim, frames)
        if not np.isfinite(found).all():
            raise AudioError("too short, or too odd, for openSMILE: not all values are finite")
        rows: Array = np.ascontiguousarray(found[0].T, dtype=np.float32)
        return rows if self.kind == "sequence" else rows.reshape(-1)


class Egemaps(OpenSmile):
    """The functionals of eGeMAPS v02 (Eyben et al. 2016)."""

    name = "egemaps"
    summary = "88 eGeMAPS v02 functionals (openSMILE)"
    kind = "vector"
    dim = 88
    constants = {"feature_set": "eGeMAPSv02", "level": "functionals"}  # noqa: RUF012


class EgemapsLld(OpenSmile):
    """Loudness, spectral balance, cepstra, pitch, jitter, shimmer and formants over time."""

    name = "egemaps_lld"
    summary = "25 eGeMAPS v02 low-level descriptors (openSMILE)"
    kind = "sequence"
    dim = 25
    frame_rate = 100.0
    constants = {"feature_set": "eGeMAPSv02", "level": "lld"}  # noqa: RUF012


class Compare(OpenSmile):
    """The functionals of ComParE 2016 (Schuller et al. 2016; Weninger et al. 2013).

    They are of very different sizes, up to 1e12: whatever takes them standardises them.
    """

    name = "compare"
    summary = "6373 ComParE 2016 functionals (openSMILE)"
    kind = "vector"
    dim = 6373
    constants = {"feature_set": "ComParE_2016", "level": "functionals"}  # noqa: RUF012


class CompareLld(OpenSmile):
    """Four descriptors of energy, 55 of the spectrum and six of voicing over time."""

    name = "compare_lld"
    summary = "65 ComParE 2016 low-level descriptors (openSMILE)"
    kind = "sequence"
    dim = 65
    frame_rate = 100.0
    constants = {"feature_set": "ComParE_2016", "level": "lld"}  # noqa: RUF012


class Emobase(OpenSmile):
    """The functionals of openSMILE's emobase: 19 statistics of 26 descriptors and their deltas."""

    name = "emobase"
    summary = "988 emobase functionals (openSMILE)"
    kind = "vector"
    dim = 988
    longest = 600  # openSMILE takes 4.5 MB for each second of it
    constants = {"feature_set": "emobase", "level": "functionals"}  # noqa: RUF012


@cache
def _smile(feature_set: str, level: str) -> Any:
    """One for each process and set: making it reads its configuration."""
    opensmile = need("opensmile", extra="opensmile")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel[_LEVELS[level]],
    )
