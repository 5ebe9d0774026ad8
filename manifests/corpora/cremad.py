"""CREMA-D: `AudioWAV/1001_DFA_ANG_XX.wav` = speaker, sentence, emotion, intensity."""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neu": "neutral",
    "hap": "happiness",
    "ang": "anger",
    "sad": "sadness",
    "fea": "fear",
    "dis": "disgust",
}

CREMAD = Corpus(
    name="cremad",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_"
        r"(?P<intensity>LO|MD|HI|XX?)",
        (2, 3),
        _EMOTIONS,
        id="{speaker}-{sentence}-{emotion}-{intensity}",
    ),
    title="Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D)",
    licence="Open Database License (ODbL) 1.0",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    layout="AudioWAV/1001_DFA_ANG_XX.wav",
    counts={**dict.fromkeys(_EMOTIONS.values(), 1271), "neutral": 1087},
)
