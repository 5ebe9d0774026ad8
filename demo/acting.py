"""Acting: how a speaker and an emotion become the parameters of espeak-ng.

Every utterance varies at random around its emotion, so that emotions overlap as they do in real
speech: a classifier should find them far more often than by chance, and not every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .studio import Delivery

MALE_VOICES = ("m1", "m3", "m4", "m6", "m2", "max")
FEMALE_VOICES = ("f1", "f2", "f3", "f4", "linda", "Annie")


@dataclass(frozen=True)
class Speaker:
    """A name as the corpus writes it, and the variant of the espeak-ng voice."""

    name: str
    variant: str


@dataclass(frozen=True)
class Style:
    """How speech departs from neutral: factors of rate and volume, steps of pitch and range."""

    rate: float
    pitch: float
    range: float
    volume: float


STYLES = {
    "neutral": Style(rate=1.00, pitch=0, range=0, volume=1.00),
    "happiness": Style(rate=1.15, pitch=18, range=34, volume=1.35),
    "anger": Style(rate=1.30, pitch=4, range=16, volume=2.30),
    "sadness": Style(rate=0.66, pitch=-16, range=-34, volume=0.42),
    "fear": Style(rate=1.50, pitch=32, range=-24, volume=0.66),
    "boredom": Style(rate=0.76, pitch=-24, range=-44, volume=0.80),
    "disgust": Style(rate=0.80, pitch=-22, range=28, volume=1.50),
    "surprise": Style(rate=0.95, pitch=48, range=50, volume=1.60),
}
NEUTRAL_STYLE = Style(rate=1, pitch=0, range=0, volume=1)
NEUTRAL = Delivery(rate=165, pitch=42, range=46, volume=75)

# Standard deviations: of speakers around their voice, of utterances around their emotion.
SPEAKER_SPREAD = Style(rate=0.05, pitch=3, range=4, volume=0.06)
UTTERANCE_SPREAD = Style(rate=0.05, pitch=3, range=5, volume=0.08)


def cast(people: Sequence[tuple[str, str]]) -> tuple[Speaker, ...]:
    """Give each (name, gender "f" or "m") a voice of their own."""
    voices = {"f": iter(FEMALE_VOICES), "m": iter(MALE_VOICES)}
    return tuple(Speaker(name, next(voices[gender])) for name, gender in people)


def habits(rng: Random) -> Style:
    """Draw how one speaker differs, in every utterance, from espeak-ng's plain voice."""
    return _vary(NEUTRAL_STYLE, SPEAKER_SPREAD, rng)


def act(emotion: str, strength: float, speaker: Style, rng: Random) -> Delivery:
    """Draw one delivery of `emotion`; `strength` 0 is neutral, 1 full."""
    style = STYLES[emotion]
    drawn = _vary(
        Style(
            rate=speaker.rate * style.rate**strength,
            pitch=speaker.pitch + style.pitch * strength,
            range=speaker.range + style.range * strength,
            volume=speaker.volume * style.volume**strength,
        ),
        UTTERANCE_SPREAD,
        rng,
    )
    return Delivery(
        rate=_within(80, NEUTRAL.rate * drawn.rate, 450),
        pitch=_within(0, NEUTRAL.pitch + drawn.pitch, 99),
        range=_within(0, NEUTRAL.range + drawn.range, 99),
        volume=_within(20, NEUTRAL.volume * drawn.volume, 200),
    )


def _vary(style: Style, spread: Style, rng: Random) -> Style:
    return Style(
        rate=style.rate * (1 + rng.gauss(0, spread.rate)),
        pitch=style.pitch + rng.gauss(0, spread.pitch),
        range=style.range + rng.gauss(0, spread.range),
        volume=style.volume * (1 + rng.gauss(0, spread.volume)),
    )


def _within(low: int, value: float, high: int) -> int:
    return max(low, min(round(value), high))
