"""ESD: `0011/Angry/0011_000351.wav`, or one folder deeper = speaker, emotion, number.

Speakers 0001 to 0010 speak Chinese, the others English: that is two corpora in one folder.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "surprise": "surprise",
}
_MEN = {4, 5, 6, 8, 10, 11, 12, 13, 14, 20}


def _corpus(name: str, language: str, first: str, speakers: str, title: str) -> Corpus:
    return Corpus(
        name=name,
        language=language,
        scan=by_named_groups(
            rf"(?P<speaker>{speakers})/(?P<emotion>[a-z]+)/"
            r"(?:(?P<part>train|test|evaluation)/)?(?P=speaker)_(?P<number>\d{6})",
            (4, 5),
            _EMOTIONS,
            id="{speaker}-{number}",
            genders={f"{n:04}": "male" if n in _MEN else "female" for n in range(1, 21)},
        ),
        title=f"Emotional Speech Database (ESD), {title} half",
        licence="for research",
        url="https://hltsingapore.github.io/ESD/",
        layout=f"{first}/Angry/{first}_000351.wav or {first}/Angry/train/{first}_000351.wav",
        counts=dict.fromkeys(_EMOTIONS.values(), 3500),
    )


ESD_EN = _corpus("esd-en", "en", "0011", "001[1-9]|0020", "English")
ESD_ZH = _corpus("esd-zh", "zh", "0001", "000[1-9]|0010", "Chinese")
