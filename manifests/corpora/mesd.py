"""MESD: `Anger_F_A_abajo.wav` = emotion, kind of voice (child, female, male), set of words, word.

Who of the speakers it is, no name says. Of the 864 words of the paper, 862 are in the archive.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happiness": "happiness",
    "anger": "anger",
    "sadness": "sadness",
    "fear": "fear",
    "disgust": "disgust",
}

MESD = Corpus(
    name="mesd",
    language="es",
    scan=by_named_groups(
        r"(?P<emotion>[A-Z]+)_(?P<voice>(?P<gender>[CFM]))_(?P<set>[AB])_(?P<word>\w+)",
        (1, 2, 3),
        _EMOTIONS,
        id="{emotion}-{voice}-{set}-{word}",
        genders={"f": "female", "m": "male"},
    ),
    title="Mexican Emotional Speech Database (MESD)",
    licence="CC BY 4.0",
    url="https://data.mendeley.com/datasets/cy34mh68j9/5",
    layout="Mexican Emotional Speech Database (MESD)/Anger_F_A_abajo.wav",
    counts=dict(zip(_EMOTIONS.values(), (143, 144, 143, 144, 144, 144), strict=True)),
    speakers=False,
)
