"""TESS: `OAF_back_angry.wav` = speaker (the older and the younger actress), word, emotion.

Some copies write `OA` for `OAF`. `ps` is pleasant surprise.
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
    "ps": "surprise",
}

TESS = Corpus(
    name="tess",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>[OY]A)F?_(?P<word>[a-z]+)_(?P<emotion>[a-z]+)",
        (1, 2, 3),
        _EMOTIONS,
        id="{speaker}-{word}-{emotion}",
        genders=dict.fromkeys(("oa", "ya"), "female"),
    ),
    title="Toronto Emotional Speech Set (TESS)",
    licence="CC BY-NC-ND 4.0",
    url="https://tspace.library.utoronto.ca/handle/1807/24487",
    layout="OAF_back_angry.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 400),
)
