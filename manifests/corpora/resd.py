"""RESD: `train/neutral_disgust_17/17_neutral_disgust_n_060.wav` = dialogue, emotion, number.

A dialogue has two actors, who are not named. `part` is the publisher's.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "n": "neutral",
    "h": "happiness",
    "a": "anger",
    "s": "sadness",
    "f": "fear",
    "d": "disgust",
    "e": "enthusiasm",
}

RESD = Corpus(
    name="resd",
    language="ru",
    scan=by_named_groups(
        r"(?:(?P<part>train|test)/[^/]+/)?"
        r"(?P<dialog>\d\d)_[a-z]+_[a-z]+[ _](?P<emotion>[a-z])_(?P<number>\d+)",
        (3, 4),
        _EMOTIONS,
        id="{dialog}-{emotion}-{number}",
    ),
    title="Russian Emotional Speech Dialogs (RESD)",
    licence=NOT_KNOWN,
    url="https://huggingface.co/datasets/Aniemore/resd_annotated",
    layout="train/neutral_disgust_17/17_neutral_disgust_n_060.wav",
    counts=dict(zip(_EMOTIONS.values(), (191, 218, 219, 162, 223, 185, 198), strict=True)),
    speakers=False,
)
