"""eNTERFACE '05: `subject 10/anger/sentence 1/s10_an_1.avi` = speaker, emotion, sentence.

The names count: the files of folder `subject 11` are called s12, and no folder is called so. Of
subject 6 there is one recording with all sentences for every emotion; of another, three sentences
of happiness are missing.
"""

from __future__ import annotations

from ..paths import AUDIO_SUFFIXES
from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "ha": "happiness",
    "an": "anger",
    "sa": "sadness",
    "fe": "fear",
    "di": "disgust",
    "su": "surprise",
}
_VIDEOS = frozenset({".avi"})

ENTERFACE = Corpus(
    name="enterface",
    language="en",
    scan=by_named_groups(
        r"s_?(?P<speaker>\d+)_(?P<emotion>[a-z]{2})(?:_(?P<sentence>\d)(?:avi)?)?",
        # One depth only: files of subject 6 lie a level higher, and must not be found alone.
        (5,),
        _EMOTIONS,
        id="s{speaker}-{emotion}-{sentence}",
        suffixes=AUDIO_SUFFIXES | _VIDEOS,
    ),
    videos=_VIDEOS,
    title="eNTERFACE '05 Audio-Visual Emotion Database",
    licence=NOT_KNOWN,
    url="https://enterface.net/enterface05/main.php?frame=emotion",
    layout="subject 10/anger/sentence 1/s10_an_1.avi",
    counts={**dict.fromkeys(_EMOTIONS.values(), 211), "happiness": 208},
)
