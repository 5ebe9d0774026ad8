"""CaFE: `Colère/Fort/01-C-2-6.wav` = actor, emotion, intensity, sentence.

Neutral speech is `01-N-1-6` in one release and `01-N-6` in another: the id is the latter in both.
Option `intensity`: `strong` (default; with neutral) or `all`.
"""

from __future__ import annotations

import re

from .corpus import Corpus, Entry, Options
from .file_names import by_file_names

_NAME = re.compile(r"(\d\d)-(?:N(?:-\d)?|([CDJPST])-([12]))-(\d)", re.IGNORECASE)
_EMOTIONS = dict(
    zip("JCTPDS", ("happiness", "anger", "sadness", "fear", "disgust", "surprise"), strict=True)
)


def _entry(name: re.Match[str], path: str, options: Options) -> Entry | None:
    actor, sentence = name[1], name[4]
    gender = "male" if int(actor) % 2 else "female"
    if name[2] is None:
        extra = {"intensity": "", "sentence": sentence}
        return Entry(f"{actor}-N-{sentence}", path, "neutral", actor, gender, extra)
    letter, intensity = name[2].upper(), "strong" if name[3] == "2" else "weak"
    if options.get("intensity", "strong") not in (intensity, "all"):
        return None
    extra = {"intensity": intensity, "sentence": sentence}
    id = f"{actor}-{letter}-{name[3]}-{sentence}"
    return Entry(id, path, _EMOTIONS[letter], actor, gender, extra)


CAFE = Corpus(
    name="cafe",
    language="fr",
    # One depth only: neutral files lie a level higher than the others, and must not be found alone.
    scan=by_file_names(_NAME, (4,), _entry),
    title="Canadian French Emotional speech dataset (CaFE)",
    licence="CC BY-NC-SA 4.0",
    url="https://zenodo.org/records/1478765",
    layout="Colère/Fort/01-C-2-6.wav and Neutre/01-N-6.wav",
    counts=dict.fromkeys(("neutral", *_EMOTIONS.values()), 72),
    options={"intensity": ("strong", "all")},
    variants={"intensity=all": {"neutral": 72, **dict.fromkeys(_EMOTIONS.values(), 144)}},
)
