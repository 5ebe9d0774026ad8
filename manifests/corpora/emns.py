"""EMNS: `cleaned_webm/recorded_audio_X.webm`, labels in `metadata.csv` with '|' between cells."""

from __future__ import annotations

from pathlib import PurePosixPath

from ..paths import AUDIO_SUFFIXES
from .corpus import NOT_KNOWN, Corpus, Entry
from .label_files import Row, by_label_files

_EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "angry": "anger",
    "sad": "sadness",
    "disgust": "disgust",
    "surprise": "surprise",
    "surprised": "surprise",
    "excited": "excitement",
    "sarcastic": "sarcasm",
}
_VIDEOS = frozenset({".webm"})


def _entry(row: Row, table: str) -> Entry | None:
    emotion = _EMOTIONS.get(row["emotion"].strip().lower())
    if emotion is None:
        return None
    audio = PurePosixPath(row["audio_recording"]).stem
    return Entry(audio, audio, emotion, row["user_id"], row["gender"].lower())


EMNS = Corpus(
    name="emns",
    language="en",
    scan=by_label_files(
        ("metadata.csv",),
        ("emotion", "gender", "audio_recording", "user_id"),
        _entry,
        suffixes=AUDIO_SUFFIXES | _VIDEOS,
        separator="|",
    ),
    videos=_VIDEOS,
    title="Emotive Narrative Storytelling corpus (EMNS)",
    licence=NOT_KNOWN,
    url="https://www.openslr.org/136",
    layout="metadata.csv and cleaned_webm/recorded_audio_X.webm",
    counts={
        "neutral": 149,
        "happiness": 157,
        "anger": 126,
        "sadness": 147,
        "disgust": 162,
        "surprise": 151,
        "excitement": 150,
        "sarcasm": 139,
    },
)
