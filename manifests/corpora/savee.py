"""SAVEE: `AudioData/DC/a01.wav`, or `DC_a01.wav` in copies = speaker, emotion, sentence.

The publisher's readme calls the four speakers male.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "n": "neutral",
    "h": "happiness",
    "a": "anger",
    "sa": "sadness",
    "f": "fear",
    "d": "disgust",
    "su": "surprise",
}

SAVEE = Corpus(
    name="savee",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>DC|JE|JK|KL)[_/](?P<emotion>sa|su|[adfhn])(?P<sentence>\d\d)",
        (1, 2, 3, 4),
        _EMOTIONS,
        id="{speaker}-{emotion}{sentence}",
        genders=dict.fromkeys(("dc", "je", "jk", "kl"), "male"),
    ),
    title="Surrey Audio-Visual Expressed Emotion database (SAVEE)",
    licence="for research, after registration with the University of Surrey",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    layout="AudioData/DC/a01.wav or DC_a01.wav",
    counts={**dict.fromkeys(_EMOTIONS.values(), 60), "neutral": 120},
)
