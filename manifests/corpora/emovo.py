"""EMOVO: `f1/dis-f1-b1.wav` = emotion, speaker, sentence."""

from __future__ import annotations

import re

from .corpus import Corpus, Entry, Options
from .file_names import by_file_names

_NAME = re.compile(r"(dis|gio|neu|pau|rab|sor|tri)-([fm]\d)-([a-z]\d)", re.IGNORECASE)
_EMOTIONS = {
    "neu": "neutral",
    "gio": "happiness",
    "rab": "anger",
    "tri": "sadness",
    "pau": "fear",
    "dis": "disgust",
    "sor": "surprise",
}


def _entry(name: re.Match[str], path: str, options: Options) -> Entry:
    emotion, speaker, sentence = (part.lower() for part in name.groups())
    return Entry(
        id=f"{emotion}-{speaker}-{sentence}",
        path=path,
        emotion=_EMOTIONS[emotion],
        speaker=speaker,
        gender="female" if speaker[0] == "f" else "male",
        extra={"sentence": sentence},
    )


EMOVO = Corpus(
    name="emovo",
    language="it",
    scan=by_file_names(_NAME, (2, 3), _entry),
    title="EMOVO, Italian emotional speech",
    licence="CC BY-NC-SA 4.0, as stated by nkululeko",
    url="http://lrec-conf.org/proceedings/lrec2014/summaries/591.html",
    layout="f1/dis-f1-b1.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 84),
)
