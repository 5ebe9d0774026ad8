"""MELD: `train/train_splits/dia0_utt0.mp4`, labels and speakers in `train_sent_emo.csv` and kin.

Dialogues are numbered anew in each of the publisher's parts, which `part` keeps. The tables have
13 708 utterances, of which two have no video that can be decoded. A speaker is the name in the
table: of `All` and `Guy` there are many.
"""

from __future__ import annotations

from ..paths import AUDIO_SUFFIXES
from .corpus import Corpus, Entry
from .label_files import Row, by_label_files

_EMOTIONS = {
    "neutral": "neutral",
    "joy": "happiness",
    "anger": "anger",
    "sadness": "sadness",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
}
_FOLDERS = {
    "train_sent_emo.csv": "train_splits",
    "dev_sent_emo.csv": "dev_splits_complete",
    "test_sent_emo.csv": "output_repeated_splits_test",
}
_VIDEOS = frozenset({".mp4"})


def _entry(row: Row, table: str) -> Entry | None:
    emotion = _EMOTIONS.get(row["Emotion"].strip().lower())
    if emotion is None:
        return None
    part, dialog = table.partition("_")[0], row["Dialogue_ID"]
    name = f"dia{dialog}_utt{row['Utterance_ID']}"
    extra = {"part": part, "dialog": f"{part}-{dialog}"}
    path = f"{_FOLDERS[table]}/{name}"
    return Entry(f"{part}-{name}", path, emotion, row["Speaker"].strip(), extra=extra)


MELD = Corpus(
    name="meld",
    language="en",
    scan=by_label_files(
        tuple(_FOLDERS),
        ("Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"),
        _entry,
        suffixes=AUDIO_SUFFIXES | _VIDEOS,
    ),
    videos=_VIDEOS,
    title="Multimodal EmotionLines Dataset (MELD)",
    licence="GPL-3.0, by the publisher's repository",
    url="https://affective-meld.github.io/",
    layout="train/train_sent_emo.csv and train/train_splits/dia0_utt0.mp4",
    counts=dict(zip(_EMOTIONS.values(), (6434, 2308, 1607, 1002, 358, 361, 1636), strict=True)),
)
