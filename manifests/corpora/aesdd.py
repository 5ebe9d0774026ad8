"""AESDD: `anger/a01 (1).wav` = emotion, sentence, speaker, by the publisher's readme.

A second take has a letter behind. Speaker 1 is written `01` in five names.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}

AESDD = Corpus(
    name="aesdd",
    language="el",
    scan=by_named_groups(
        r"(?P<emotion>[adfhs])(?P<sentence>\d\d) \(0?(?P<speaker>\d)\)(?P<take>[a-z]?)",
        (2, 3),
        _EMOTIONS,
        id="{emotion}{sentence}-{speaker}{take}",
    ),
    title="Acted Emotional Speech Dynamic Database (AESDD)",
    licence=NOT_KNOWN,
    url="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    layout="anger/a01 (1).wav",
    counts=dict(zip(_EMOTIONS.values(), (121, 122, 120, 119, 122), strict=True)),
)
