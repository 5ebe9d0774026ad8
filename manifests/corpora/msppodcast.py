"""MSP-Podcast: `Audios/MSP-PODCAST_0001_0008.wav`, labels in `Labels/labels_consensus.csv`.

Utterances without agreement (X) and with another emotion (O) are left out. How many there are
depends on the release.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from .corpus import Corpus, Entry
from .label_files import Row, by_label_files

_EMOTIONS = {
    "N": "neutral",
    "H": "happiness",
    "A": "anger",
    "S": "sadness",
    "F": "fear",
    "D": "disgust",
    "U": "surprise",
    "C": "contempt",
}
_GENDERS = {"Female": "female", "Male": "male"}


def _entry(row: Row, table: str) -> Entry | None:
    emotion = _EMOTIONS.get(row["EmoClass"])
    if emotion is None:
        return None
    audio = PurePosixPath(row["FileName"]).stem
    gender, extra = _GENDERS.get(row["Gender"], ""), {"part": row["Split_Set"]}
    return Entry(audio, audio, emotion, row["SpkrID"], gender, extra)


MSPPODCAST = Corpus(
    name="msppodcast",
    language="en",
    scan=by_label_files(
        ("labels_consensus.csv", "labels_concensus.csv"),
        ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set"),
        _entry,
    ),
    title="MSP-Podcast corpus",
    licence="for those who signed an agreement with the University of Texas at Dallas",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    licensees_only=True,
    layout="Labels/labels_consensus.csv and Audios/MSP-PODCAST_0001_0008.wav",
)
