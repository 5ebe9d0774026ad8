"""RAVDESS speech: `Actor_01/03-01-05-01-02-01-01.wav`; songs and video are left out."""

from __future__ import annotations

import re

from .corpus import Corpus, Entry, Options
from .file_names import by_file_names

_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")
_EMOTIONS = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
"""In the order of their codes, from 01."""


def _entry(name: re.Match[str], path: str, options: Options) -> Entry:
    intensity = "strong" if name[2] == "02" else "normal"
    return Entry(
        id=name[0],
        path=path,
        emotion=_EMOTIONS[int(name[1]) - 1],
        speaker=name[5],
        gender="male" if int(name[5]) % 2 else "female",
        extra={"intensity": intensity, "sentence": name[3], "take": name[4]},
    )


RAVDESS = Corpus(
    name="ravdess",
    language="en",
    scan=by_file_names(_NAME, (2, 3, 4), _entry),
    title="Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), speech",
    licence="CC BY-NC-SA 4.0",
    url="https://zenodo.org/records/1188976",
    layout="Actor_01/03-01-05-01-02-01-01.wav",
    counts={**dict.fromkeys(_EMOTIONS, 192), "neutral": 96},
)
