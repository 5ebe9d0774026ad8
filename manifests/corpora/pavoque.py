"""PAVOQUE: `Recordings/Spike/a0001.flac` = style, sentence; one speaker.

The styles have names: Poppy is cheerful, Obadiah gloomy, Spike aggressive, Poker laid-back, which
is no emotion and stays `poker`. This is the layout of one file an utterance, as the readme has it.
Releases with one long recording a style, which EmoBox lists, are to be cut by their YAML files.
"""

from __future__ import annotations

from .corpus import Corpus
from .file_names import by_named_groups

_EMOTIONS = {
    "neutral": "neutral",
    "poppy": "happiness",
    "spike": "anger",
    "obadiah": "sadness",
    "poker": "poker",
}

PAVOQUE = Corpus(
    name="pavoque",
    language="de",
    scan=by_named_groups(
        r"recordings/(?P<emotion>neutral|poppy|spike|obadiah|poker)/(?P<sentence>[\w-]+)",
        (2, 3, 4),
        _EMOTIONS,
        id="{emotion}-{sentence}",
    ),
    title="PAVOQUE corpus of expressive speech",
    licence="CC BY-NC-SA 3.0, by the publisher's readme",
    url="https://github.com/marytts/pavoque-data",
    layout="Recordings/Spike/a0001.flac",
    counts=dict(zip(_EMOTIONS.values(), (4344, 746, 724, 701, 819), strict=True)),
    speakers=False,
)
