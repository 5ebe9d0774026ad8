"""`egemaps`: 88 acoustic functionals, by openSMILE."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

from ...errors import AudioError
from ..audio import RATE
from ..packages import need
from .backbone import Array, Backbone

_TOP = np.float32(32767 / 32768)
"""openSMILE gets 16-bit samples, and its package lets +1 wrap around to -1."""


class Egemaps(Backbone):
    """The functionals of eGeMAPS v02 over a whole utterance (Eyben et al. 2016).

    Equal to `opensmile.Smile(...).process_signal(samples, 16000)` where no sample is at full scale.
    openSMILE is free for research only: its licence covers what is computed with it, too.
    """

    name = "egemaps"
    summary = "88 eGeMAPS v02 functionals (openSMILE)"
    licence = "audEERING research licence, not for commercial use (opensmile)"
    kind = "vector"
    dim = 88
    constants = {"feature_set": "eGeMAPSv02", "level": "functionals"}  # noqa: RUF012

    def prepare(self, samples: Array) -> Array:
        """Return the functionals, shape (88,)."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Segment too short", category=UserWarning)
            found = _smile()(np.clip(samples, -1, _TOP), RATE)
        functionals: Array = np.asarray(found, dtype=np.float32).reshape(-1)
        if not np.isfinite(functionals).all():
            raise AudioError("too short, or too odd, for openSMILE: not all functionals are finite")
        return functionals


@cache
def _smile() -> Any:
    """One for each process: making it reads its configuration."""
    opensmile = need("opensmile", extra="egemaps")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
