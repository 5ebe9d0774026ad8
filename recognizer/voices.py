"""What was heard of people, for models whose inputs are standardised per speaker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..train.functionals import vectors
from ..train.speakers import Heard, mean_and_std, utterance_moments

if TYPE_CHECKING:
    from ..train.runs.run_config import RunConfig


class Voice:
    """What was heard of one person: statistics of every feature over his utterances.

        voice = recognizer.voice()
        for sound in ("monday.wav", "tuesday.wav", "wednesday.wav"):
            voice.hear(recognizer.features(sound))
        recognizer.probabilities("wednesday.wav", voice)

    In evaluation an utterance is always among those that were heard of its speaker: hear a sound
    before it is told.

    Attributes:
        count: utterances that were heard.
    """

    def __init__(self, config: RunConfig) -> None:
        self.count = 0
        self._keys, self._encoding = config.keys, config.encoding
        self._sums: dict[str, NDArray[np.float64]] = {}

    def hear(self, features: Mapping[str, NDArray[Any]]) -> None:
        """Add an utterance that has these features, see `Recognizer.features`."""
        for name, key in self._keys.items():
            values = features[name]
            if self._encoding.summarises(name, key.kind == "sequence"):
                (values,) = vectors([values], self._encoding.name)
            self._sums[name] = self._sums.get(name, 0) + utterance_moments([values])
        self.count += 1

    def heard(self) -> dict[str, Heard]:
        """The statistics by feature, of one set, for one utterance; none before any was heard."""
        rows, counts = np.zeros(1, dtype=np.int64), np.array([self.count])
        return {
            name: Heard(rows, counts, mean_and_std(sums, counts))
            for name, sums in self._sums.items()
        }
