"""ASVP-ESD: `Audio/actor_106/03-01-01-01-01-106-02-02-04-11.wav`, of which these fields are read:
channel (01 speech, 02 other sounds of the voice), emotion, speaker.

Several languages, so that the language is `mul`. The names of 187 files name another speaker than
their folders: the name counts. One file has the emotion 17, which the publisher does not explain,
and is left out; `breath` is no emotion, but one of the publisher's thirteen classes.
"""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = (
    *("boredom", "neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise"),
    *("excitement", "pleasure", "pain", "disappointment", "breath"),
)
"""In the order of their codes, from 01."""

_COUNTS = (548, 1598, 1868, 2694, 1453, 1180, 899, 1586, 401, 365, 834, 365, 172)

ASVPESD = Corpus(
    name="asvpesd",
    language="mul",
    scan=by_named_groups(
        r"(?P<name>03-(?P<channel>0[12])-(?P<emotion>\d\d)-\d+-\d+-"
        r"(?P<speaker>\d+)-\d+-\d+[\d -]*)",
        (3, 4),
        {f"{code:02}": emotion for code, emotion in enumerate(_EMOTIONS, 1)},
        id="{name}",
    ),
    title="Audio, Speech and Vision Processing Lab Emotional Sound Database (ASVP-ESD)",
    licence=NOT_KNOWN,
    url="https://www.kaggle.com/datasets/dejolilandry/asvpesdspeech-nonspeech-emotional-utterances",
    layout="Audio/actor_106/03-01-01-01-01-106-02-02-04-11.wav",
    counts=dict(zip(_EMOTIONS, _COUNTS, strict=True)),
)
