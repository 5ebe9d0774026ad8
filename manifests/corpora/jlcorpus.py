"""JL corpus: `female1_angry_10a_1.wav` = speaker, emotion, sentence, take."""

from __future__ import annotations

from .corpus import NOT_KNOWN, Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "excited": "excitement",
    "anxious": "anxiety",
    "apologetic": "apology",
    "assertive": "assertiveness",
    "concerned": "concern",
    "encouraging": "encouragement",
}

JLCORPUS = Corpus(
    name="jlcorpus",
    language="en",
    scan=by_named_groups(
        r"(?P<speaker>(?P<gender>female|male)\d)_(?P<emotion>[a-z]+)_"
        r"(?P<sentence>\d+[ab])_(?P<take>\d)",
        (3, 4),
        _EMOTIONS,
        id="{speaker}-{emotion}-{sentence}-{take}",
        genders={"female": "female", "male": "male"},
    ),
    title="JL corpus, emotional speech of New Zealand English",
    licence=NOT_KNOWN,
    url="https://www.kaggle.com/datasets/tli725/jl-corpus",
    layout="Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/female1_angry_10a_1.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 240),
)
