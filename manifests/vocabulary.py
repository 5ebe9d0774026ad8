"""The one emotion vocabulary, and how a user's corpus adds to it.

The nine nouns are audformat's. A corpus of one's own may use further emotions, but only those that
it declares, so that a slip of the pen never becomes a class of its own.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping

from ..errors import InputError
from .names import did_you_mean

EMOTIONS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "anger",
    "sadness",
    "fear",
    "boredom",
    "disgust",
    "surprise",
    "calm",
)

SYNONYMS: Mapping[str, str] = {
    "happy": "happiness",
    "joy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "fearful": "fear",
    "afraid": "fear",
    "bored": "boredom",
    "disgusted": "disgust",
    "surprised": "surprise",
    "calmness": "calm",
}
"""Words that can mean only one emotion of the vocabulary."""

_NAME = re.compile(r"[^\W\d_][\w-]{0,31}")


def normalise(word: str) -> str:
    """Strip, compose (NFC) and lower the case, so that `Angst`, `angst ` and `ANGST` are one."""
    return unicodedata.normalize("NFC", word.strip()).lower()


def ordered(emotions: Iterable[str]) -> tuple[str, ...]:
    """Sort distinct emotions: the vocabulary's in its order, then others by alphabet."""
    present = set(emotions)
    known = tuple(name for name in EMOTIONS if name in present)
    return known + tuple(sorted(present - set(EMOTIONS)))


def problem_with(emotion: str) -> str | None:
    """Say why `emotion` cannot stand in a manifest; None if it can.

    The vocabulary's emotions can. So can another word in lower case, unless it is a synonym of the
    vocabulary or nearly spelt like it: that is taken for a mistake.
    """
    if emotion in EMOTIONS:
        return None
    if not _NAME.fullmatch(emotion) or emotion != normalise(emotion):
        return f"{emotion!r} is no name of an emotion: use one word in lower case"
    if emotion in SYNONYMS:
        return f"unknown emotion {emotion!r} (did you mean {SYNONYMS[emotion]!r}?)"
    near = difflib.get_close_matches(emotion, EMOTIONS, n=1, cutoff=0.8)
    return f"unknown emotion {emotion!r} (did you mean {near[0]!r}?)" if near else None


def parse_declarations(text: str) -> dict[str, str]:
    """Read a user's own words: `awe,Ärger=anger` adds `awe` and reads `ärger` as anger.

    Returns what is written (normalised) to the emotion that it stands for.

    Raises:
        InputError: a declared emotion that the vocabulary has under nearly the same name.
    """
    declared: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        written, _, meant = item.partition("=")
        emotion = normalise(meant or written)
        reason = problem_with(emotion)
        if reason:
            raise InputError(
                f"emotions={text!r}: {reason}; to read a word of the corpus as an emotion of the "
                "vocabulary, write word=emotion, such as angr=anger"
            )
        declared[normalise(written)] = emotion
        declared.setdefault(emotion, emotion)
    return declared


def read_emotion(written: str, declared: Mapping[str, str]) -> str:
    """Give the emotion that `written` stands for, by declaration, vocabulary or synonym.

    Raises:
        ValueError: no such emotion; the message offers near misses and the way to declare it.
    """
    word = normalise(written)
    if not word:
        raise ValueError("the emotion is missing")
    if word in declared:
        return declared[word]
    if word in EMOTIONS:
        return word
    if word in SYNONYMS:
        return SYNONYMS[word]
    choices = [*EMOTIONS, *SYNONYMS, *declared]
    raise ValueError(
        f"unknown emotion {written.strip()!r}{did_you_mean(word, choices)}; known are "
        f"{', '.join(ordered([*EMOTIONS, *declared.values()]))}; a new one is declared with the "
        f"option emotions={word}, another word for a known one with emotions={word}=anger "
        f"(ser extract --option emotions={word})"
    )
