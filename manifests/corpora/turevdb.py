"""TurEV-DB: `Sound Source/Angry/1157_kz_sepet.wav` = speaker, emotion, word.

The publisher does not say what the number is. It has six values, of which each says every one of 82
words once in every emotion, but for what is missing: so do six speakers.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {"mt": "happiness", "kz": "anger", "hl": "sadness", "sk": "calm"}

TUREVDB = Corpus(
    name="turevdb",
    language="tr",
    scan=by_named_groups(
        r"(?P<speaker>\d{4})_(?P<emotion>[a-z]{2})_(?P<word>\w+)",
        (3, 4),
        _EMOTIONS,
        id="{speaker}-{emotion}-{word}",
    ),
    title="Turkish Emotion-Voice Database (TurEV-DB)",
    licence="CC BY-NC-ND 4.0",
    url="https://github.com/Xeonen/TurEV-DB",
    layout="Sound Source/Angry/1157_kz_sepet.wav",
    counts=dict(zip(_EMOTIONS.values(), (357, 487, 483, 408), strict=True)),
)
