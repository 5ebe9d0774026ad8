"""`wave`: the samples themselves, for networks that begin with the waveform."""

from __future__ import annotations

from ..audio import RATE
from .backbone import Array, Backbone


class Wave(Backbone):
    """T x 1: the samples at 16 kHz, mono, full scale at 1.

    Stored as float16, two bytes a sample: 16-bit samples below a sixteenth of full scale are kept
    exactly, louder ones to a part in 2048. `dtype=float32` keeps all of them. Unlike other features
    this one is the recording, and may be given to those alone who may have that.
    """

    name = "wave"
    summary = "the samples: as good as the recording itself"
    licence = "that of the recordings, which this is a copy of"
    kind = "sequence"
    dim = 1
    frame_rate = float(RATE)
    defaults = {"dtype": "float16"}  # noqa: RUF012 - declared as ClassVar in Backbone

    def prepare(self, samples: Array) -> Array:
        """Return the samples, shape (samples, 1)."""
        return samples[:, None]
