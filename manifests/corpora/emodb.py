"""EmoDB: `wav/03a01Fa.wav` = speaker, text, emotion letter, take.

Version 2 has the signal of a laryngograph beside each utterance, under the same name, in
`laryngo/`: it is left out.
"""

from __future__ import annotations

import re

from .corpus import Corpus, Entry, Options
from .file_names import by_file_names

_NAME = re.compile(r"(\d\d)([a-z]\d\d)([WLEAFTN])([a-z]?)", re.IGNORECASE)
_EMOTIONS = {
    "N": "neutral",
    "F": "happiness",
    "W": "anger",
    "T": "sadness",
    "A": "fear",
    "L": "boredom",
    "E": "disgust",
}
_MEN, _WOMEN = ("03", "10", "11", "12", "15"), ("08", "09", "13", "14", "16")
_GENDERS = dict.fromkeys(_MEN, "male") | dict.fromkeys(_WOMEN, "female")


def _entry(name: re.Match[str], path: str, options: Options) -> Entry:
    speaker, text, letter, take = name[1], name[2].lower(), name[3].upper(), name[4].lower()
    return Entry(
        id=f"{speaker}{text}{letter}{take}",
        path=path,
        emotion=_EMOTIONS[letter],
        speaker=speaker,
        gender=_GENDERS.get(speaker, ""),
        extra={"sentence": text, "take": take},
    )


EMODB = Corpus(
    name="emodb",
    language="de",
    scan=by_file_names(_NAME, (2, 3), _entry, beside="laryngo"),
    title="Berlin Database of Emotional Speech (EmoDB)",
    licence="CC0 1.0, as stated by audEERING's datasets",
    url="http://emodb.bilderbar.info",
    layout="wav/03a01Fa.wav",
    counts=dict(zip(_EMOTIONS.values(), (79, 71, 127, 62, 69, 81, 46), strict=True)),
)
