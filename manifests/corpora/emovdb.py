"""EmoV-DB: `bea_Amused/amused_1-15_0001.wav` = speaker, emotion, sentences, sentence.

The speaker is in the folder alone, `bea_Amused` or `bea/Amused`. The counts are those of the files
that EmoBox lists; the publisher's readme counts a few less for some speakers, and more for others.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "anger": "anger",
    "disgust": "disgust",
    "amused": "amusement",
    "sleepiness": "sleepiness",
}

EMOVDB = Corpus(
    name="emovdb",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>bea|jenie|josh|sam)[_/]\w+/"
        r"(?P<emotion>[a-z]+)_(?P<range>[\d_-]+)_(?P<sentence>\d+)",
        (2, 3, 4),
        _EMOTIONS,
        id="{speaker}-{emotion}-{range}-{sentence}",
        genders={"bea": "female", "jenie": "female", "josh": "male", "sam": "male"},
    ),
    title="Emotional Voices Database (EmoV-DB)",
    licence="non-commercial purposes, by the publisher's LICENSE.md",
    url="https://github.com/numediart/EmoV-DB",
    layout="bea_Amused/amused_1-15_0001.wav",
    counts=dict(zip(_EMOTIONS.values(), (1566, 1267, 1019, 1315, 1720), strict=True)),
)
