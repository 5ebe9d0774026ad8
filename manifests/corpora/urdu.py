"""URDU: `Sad/SF10_F1_S01.wav` = speaker with gender, recording, emotion, number.

The names tell 29 speakers apart, where the paper counts 38.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {"n": "neutral", "h": "happiness", "a": "anger", "s": "sadness"}

URDU = Corpus(
    name="urdu",
    language="ur",
    scan=by_named_groups(
        r"S(?P<speaker>(?P<gender>[FM])\d+)_F(?P<recording>\d+)_(?P<emotion>[NHAS])(?P<number>\d+)",
        (2, 3),
        _EMOTIONS,
        id="{speaker}-{recording}-{emotion}{number}",
        genders={"f": "female", "m": "male"},
    ),
    title="URDU, emotional speech of talk shows",
    licence=NOT_KNOWN,
    url="https://github.com/siddiquelatif/urdu-dataset",
    layout="Sad/SF10_F1_S01.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 100),
)
