"""ASED: `05Angry/a5-01-01-01-01.wav` = emotion, sentence, repetition, gender, speaker.

Which of the two gender codes is which is not known here, so that genders are blank.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {"n": "neutral", "h": "happiness", "a": "anger", "s": "sadness", "f": "fear"}

ASED = Corpus(
    name="ased",
    language="am",
    scan=by_named_groups(
        r"(?P<emotion>[nhasf])\d-(?P<sentence>\d\d)-(?P<take>\d\d)-(?P<code>\d\d)-(?P<speaker>\d\d)",
        (2, 3),
        _EMOTIONS,
        id="{emotion}-{sentence}-{take}-{code}-{speaker}",
    ),
    title="Amharic Speech Emotion Dataset (ASED)",
    licence=NOT_KNOWN,
    url="https://github.com/wgwangang/ASED_V1",
    layout="05Angry/a5-01-01-01-01.wav",
    counts=dict(zip(_EMOTIONS.values(), (522, 486, 486, 470, 510), strict=True)),
)
