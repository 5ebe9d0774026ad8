"""Oréau: `OréauFR_02/m/sessj/07a01Ja.wav` = speaker, sentence, emotion, take.

The gender is in a folder alone, `m` or `f`. Names by themselves would be those of EmoDB, too.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "n": "neutral",
    "j": "happiness",
    "c": "anger",
    "t": "sadness",
    "p": "fear",
    "d": "disgust",
    "s": "surprise",
}

OREAU = Corpus(
    name="oreau",
    language="fr",
    scan=by_named_groups(
        r"(?P<gender>[fm])/sess[a-z]/"
        r"(?P<speaker>\d\d)(?P<sentence>[a-z]\d\d)(?P<emotion>[NJCTPDS])(?P<take>[a-z])",
        (4, 5),
        _EMOTIONS,
        id="{speaker}{sentence}{emotion}{take}",
        genders={"f": "female", "m": "male"},
    ),
    title="Oréau, French emotional speech",
    licence=NOT_KNOWN,
    url="https://zenodo.org/records/4405783",
    layout="OréauFR_02/m/sessj/07a01Ja.wav",
    counts=dict(zip(_EMOTIONS.values(), (70, 62, 67, 55, 51, 67, 62), strict=True)),
)
