"""How much the speaker alone tells of the emotion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .manifest import Manifest

PERMUTATIONS = 499
LEAST_SHARE, MOST_P = 0.05, 0.01
"""What makes a corpus confounded; docs/speakers.md has what standardising brings on both sides."""


@dataclass(frozen=True)
class Confounding:
    """The mutual information of speaker and emotion, in bits, beside what chance makes of it.

    Attributes:
        information: I(S; E) = H(S) + H(E) - H(S, E).
        entropy: H(E), the most that the information can be.
        expected: the mean information where emotions are dealt out to the utterances at random.
        p: how often, of that, the information is as large as it is.
    """

    information: float
    entropy: float
    expected: float
    p: float

    @property
    def share(self) -> float:
        """(I - expected) / (H(E) - expected): 0 by chance or below, 1 where the speaker tells all.

        Adjusted mutual information (Vinh et al. 2010), by the entropy of the emotion.
        """
        room = self.entropy - self.expected
        return max(0.0, (self.information - self.expected) / room) if room > 1e-9 else 0.0

    @property
    def confounded(self) -> bool:
        """Whether the share is no accident, and so large that statistics of a speaker are, in part,
        statistics of his emotions."""
        return self.p < MOST_P and self.share > LEAST_SHARE

    def __str__(self) -> str:
        """A sentence without its full stop."""
        return (
            f"the speaker tells {self.share:.0%} of the emotion (mutual information "
            f"{self.information:.2f} of {self.entropy:.2f} bits, {self.expected:.2f} by chance, "
            f"p {self.p:.3f})"
        )


def speaker_emotion_confounding(manifest: Manifest, seed: int = 0) -> Confounding:
    """Measure how far speakers differ in which emotions they have, where both are known."""
    known = manifest.table[(manifest.table["speaker"] != "") & (manifest.table["emotion"] != "")]
    if known.empty:
        return Confounding(0.0, 0.0, 0.0, 1.0)
    speaker, emotion = (
        np.unique(known[column].to_numpy(str), return_inverse=True)[1]
        for column in ("speaker", "emotion")
    )
    found = mutual_information(speaker, emotion)
    draw = np.random.default_rng(seed)
    chance = np.array(
        [mutual_information(speaker, draw.permutation(emotion)) for _ in range(PERMUTATIONS)]
    )
    as_large = int((chance >= found - 1e-9).sum())
    return Confounding(
        information=found,
        entropy=_entropy(np.bincount(emotion)),
        expected=float(chance.mean()),
        p=(1 + as_large) / (1 + PERMUTATIONS),
    )


def mutual_information(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """I(X; Y) = H(X) + H(Y) - H(X, Y) in bits, of two numberings from 0 of the same things."""
    both = np.bincount(one * (other.max() + 1) + other)
    return max(0.0, _entropy(np.bincount(one)) + _entropy(np.bincount(other)) - _entropy(both))


def _entropy(counts: npt.NDArray[np.int64]) -> float:
    """H = -sum p log2 p, in bits."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())
