"""`ge2e_mel`: the frames that the GE2E encoder sees, so that it can be tuned without audio."""

from __future__ import annotations

from .backbone import Array, Backbone
from .speech import BANDS, speech_frames


class Ge2eMel(Backbone):
    """T x 40: what Resemblyzer feeds its LSTM, after volume normalisation and trimming.

    `SpeakerEncoder.embed` makes the feature `ge2e` of it. Rows count the time of the speech that
    trimming left, not of the file.
    """

    name = "ge2e_mel"
    summary = "40 mel bands of the trimmed speech, the input of ge2e"
    licence = "Apache-2.0 (Resemblyzer)"
    kind = "sequence"
    dim = BANDS
    frame_rate = 100.0

    def prepare(self, samples: Array) -> Array:
        """Return the mel frames of the speech, shape (frames, 40); see `speech_frames`."""
        return speech_frames(samples)
