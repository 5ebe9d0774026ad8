"""CASIA, the part that is passed on: `liuchanhg/angry/201.wav` = speaker, emotion, sentence."""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "fear": "fear",
    "surprise": "surprise",
}

CASIA = Corpus(
    name="casia",
    language="zh",
    scan=by_named_groups(
        r"(?P<speaker>liuchanhg|wangzhe|zhaoquanyin|zhaozuoxiang)/(?P<emotion>[a-z]+)/(?P<sentence>\d{3})",
        (3, 4),
        _EMOTIONS,
        id="{speaker}-{emotion}-{sentence}",
    ),
    title="CASIA Chinese emotional corpus, the 1 200 utterances that are passed on",
    licence=NOT_KNOWN,
    url="https://aistudio.baidu.com/aistudio/datasetdetail/209512",
    layout="liuchanhg/angry/201.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 200),
)
