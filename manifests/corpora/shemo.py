"""ShEMO: `female/F01A01.wav` = speaker with gender, emotion, number.

The counts are those of the files that EmoBox lists; the paper speaks of 3 000.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "n": "neutral",
    "h": "happiness",
    "a": "anger",
    "s": "sadness",
    "f": "fear",
    "w": "surprise",
}

SHEMO = Corpus(
    name="shemo",
    language="fa",
    scan=by_named_groups(
        r"(?P<speaker>(?P<gender>[FM])\d\d)(?P<emotion>[NHASFW])(?P<number>\d+)",
        (2, 3),
        _EMOTIONS,
        id="{speaker}{emotion}{number}",
        genders={"f": "female", "m": "male"},
    ),
    title="Sharif Emotional Speech Database (ShEMO)",
    licence=NOT_KNOWN,
    url="https://github.com/mansourehk/ShEMO",
    layout="female/F01A01.wav",
    counts=dict(zip(_EMOTIONS.values(), (1018, 198, 1034, 360, 29, 199), strict=True)),
)
