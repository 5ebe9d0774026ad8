"""SUBESCO: `F_01_OISHI_S_10_ANGRY_1.wav` = gender, speaker, name, sentence, emotion, take.

One name ends in a stray bracket: `F_02_MONIKA_S_2_SURPRISE_3].wav`.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
}

SUBESCO = Corpus(
    name="subesco",
    language="bn",
    scan=by_named_groups(
        r"(?P<speaker>(?P<gender>[FM])_\d\d)_[A-Z]+_S_(?P<sentence>\d+)_"
        r"(?P<emotion>[A-Z]+)_(?P<take>\d)\]?",
        (1, 2),
        _EMOTIONS,
        id="{speaker}_S_{sentence}_{emotion}_{take}",
        genders={"f": "female", "m": "male"},
    ),
    title="SUST Bangla Emotional Speech Corpus (SUBESCO)",
    licence="CC BY 4.0",
    url="https://zenodo.org/records/4526477",
    layout="F_01_OISHI_S_10_ANGRY_1.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 1000),
)
