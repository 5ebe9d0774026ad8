"""Emotions in Polish speech recordings: `m1.a_nie_1.wav` = speaker, emotion, word, take.

`s` is fear (strach).
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {"n": "neutral", "a": "anger", "s": "fear"}

POLISH = Corpus(
    name="polish",
    language="pl",
    scan=by_named_groups(
        r"(?P<speaker>m\d)\.(?P<emotion>[ans])_(?P<word>[a-z]+)_(?P<take>\d)",
        (1, 2),
        _EMOTIONS,
        id="{speaker}-{emotion}-{word}-{take}",
    ),
    title="Emotions in Polish speech recordings",
    licence=NOT_KNOWN,
    url=(
        "https://mostwiedzy.pl/en/open-research-data/"
        "emotions-in-polish-speech-recordings,11190523461146169-0"
    ),
    layout="m1.a_nie_1.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 150),
)
