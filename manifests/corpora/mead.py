"""MEAD: `M003/audio/angry/level_1/001.m4a` = speaker with gender, emotion, intensity, number."""

from __future__ import annotations

from ..paths import AUDIO_SUFFIXES
from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "fear": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
    "contempt": "contempt",
}
_VIDEOS = frozenset({".m4a"})

MEAD = Corpus(
    name="mead",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>(?P<gender>[MW])\d{3})/audio/"
        r"(?P<emotion>[a-z]+)/level_(?P<intensity>\d)/(?P<number>\d+)",
        # One depth only: a speaker's archive may be unpacked into a folder of its own, or not.
        (6,),
        _EMOTIONS,
        id="{speaker}-{emotion}-{intensity}-{number}",
        genders={"m": "male", "w": "female"},
        suffixes=AUDIO_SUFFIXES | _VIDEOS,
    ),
    videos=_VIDEOS,
    title="Multi-view Emotional Audio-visual Dataset (MEAD)",
    licence="for research",
    url="https://github.com/uniBruce/Mead",
    layout="M003/audio/angry/level_1/001.m4a",
    size=31729,
)
