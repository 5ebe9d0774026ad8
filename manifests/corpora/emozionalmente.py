"""Emozionalmente: `audio/1612871026347.wav`, labels and speakers in `metadata/samples.csv`."""

from __future__ import annotations

from pathlib import PurePosixPath

from .corpus import NOT_KNOWN, Corpus, Entry
from .label_files import Row, by_label_files

_EMOTIONS = {
    "neutrality": "neutral",
    "joy": "happiness",
    "anger": "anger",
    "sadness": "sadness",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
}


def _entry(row: Row, table: str) -> Entry | None:
    emotion = _EMOTIONS.get(row["emotion_expressed"])
    audio = PurePosixPath(row["file_name"]).stem
    return Entry(audio, audio, emotion, row["actor"]) if emotion else None


EMOZIONALMENTE = Corpus(
    name="emozionalmente",
    language="it",
    scan=by_label_files(("samples.csv",), ("file_name", "actor", "emotion_expressed"), _entry),
    title="Emozionalmente, Italian emotional speech of many speakers",
    licence=NOT_KNOWN,
    url="https://zenodo.org/records/6569824",
    layout="metadata/samples.csv and audio/1612871026347.wav",
    counts=dict.fromkeys(_EMOTIONS.values(), 986),
)
