"""The scanners over the files of 26 corpora, as EmoBox lists them, where its lists are.

They lie in `emobox` beside the folder that SER_TEST_CORPORA names. A scan reads names and label
files alone: it is given the names of 90 000 files, and small corpora whole, with sound.
"""

import csv
import gzip
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.manifests import CORPORA, build_manifest, problem_with_id, recognise
from ser.manifests.corpora import file_names, label_files
from ser.manifests.names import problem_with_language
from ser.manifests.paths import AUDIO_SUFFIXES, audio_files
from ser.manifests.vocabulary import read_emotion
from ser.progress import Progress

FOLDER = os.environ.get("SER_TEST_CORPORA", "")
LISTS = Path(FOLDER).parent / "emobox"

OWN_WORDS = {"poker", "breath"}

BLANK = {
    "neutral": "neutral",
    "neu": "neutral",
    "gio": "happiness",
    "rab": "anger",
    "tri": "sadness",
    "pau": "fear",
    "dis": "disgust",
    "sor": "surprise",
}

SPEAKERS = {
    "aesdd": 6,
    "ased": 65,
    "asvpesd": 131,
    "cafe": 12,
    "casia": 4,
    "cremad": 91,
    "emodb": 10,
    "emovdb": 4,
    "emovo": 6,
    "enterface": 43,
    "jlcorpus": 4,
    "oreau": 32,
    "polish": 5,
    "ravdess": 24,
    "savee": 4,
    "shemo": 87,
    "subesco": 20,
    "tess": 2,
    "turevdb": 6,
    "urdu": 29,
}
UNKNOWN = {"mesd", "resd", "pavoque"}
APART = ("cafe", "casia", "emovo", "jlcorpus", "polish", "ravdess", "savee", "subesco")
"""Corpora whose folds by EmoBox keep speakers apart."""


def test_languages_are_such_as_manifests_have():
    assert [name for name in CORPORA if problem_with_language(CORPORA[name].language)] == []


def rows(corpus):
    if not FOLDER:
        pytest.skip("SER_TEST_CORPORA names no folder of real corpora")
    file = LISTS / f"{corpus}.csv.gz"
    if not file.is_file():
        pytest.skip(f"no list of {corpus} in emobox beside SER_TEST_CORPORA")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def as_if_there(monkeypatch, paths):
    """Let scanners find files that are not there, beside those that are."""

    def listed(root, depth, suffixes=AUDIO_SUFFIXES):
        names = [path for path in paths if path[path.rindex(".") :] in suffixes]
        there = audio_files(root, depth, suffixes)
        return sorted([name for name in names if name.count("/") < depth] + there)

    for module in (file_names, label_files):
        monkeypatch.setattr(module, "audio_files", listed)


def label(row):
    """EmoBox's word for an emotion, as a manifest has it."""
    if not row["emotion"]:  # where EmoBox's map of the corpus's codes has none
        return BLANK[row["code"]]
    word = row["emotion"].split(",")[0].lower()
    return word if word in OWN_WORDS else read_emotion(word, {})


def write(file, table, separator=","):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(table[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(table)


def meld_tables(root, listed):
    """The tables that the publisher ships, with speakers that the list does not have."""
    tables = {"train": "train/", "dev": "", "test": ""}
    folders = {"train": "train/train_splits", "dev": "dev_splits", "test": "output_repeated"}
    for part, above in tables.items():
        names = [row for row in listed if row["path"].startswith(folders[part])]
        table = [
            {
                "Utterance": "Oh, my God; “no”.",
                "Speaker": "Ross",
                "Emotion": row["code"],
                "Dialogue_ID": Path(row["path"]).stem.split("_")[0][3:],
                "Utterance_ID": Path(row["path"]).stem.split("_utt")[1],
            }
            for row in names
        ]
        write(root / f"{above}{part}_sent_emo.csv", table)


def emns_table(root, listed):
    table = [
        {
            "id": number,
            "utterance": "Hey, you",
            "emotion": row["code"],
            "gender": "Female",
            "audio_recording": f"wavs/{Path(row['path']).name}",
            "user_id": 3,
        }
        for number, row in enumerate(listed)
    ]
    write(root / "metadata.csv", table, "|")


def emozionalmente_table(root, listed):
    table = [
        {
            "file_name": Path(row["path"]).name,
            "actor": number % 431,
            "emotion_expressed": row["code"],
        }
        for number, row in enumerate(listed)
    ]
    write(root / "metadata" / "samples.csv", table)


TABLES = {"meld": meld_tables, "emns": emns_table, "emozionalmente": emozionalmente_table}


def pavoque_paths(listed):
    """A file an utterance, where the list has the labels of pieces of six long recordings."""
    folders = {"happy": "Poppy", "angry": "Spike", "sad": "Obadiah"}
    return [
        f"Recordings/{folders.get(row['code'], row['code'].title())}/a{number:04}.flac"
        for number, row in enumerate(listed)
    ]


@pytest.mark.parametrize("corpus", sorted({*SPEAKERS, *UNKNOWN, *TABLES}))
def test_the_files_of_its_list_give_its_labels(corpus, tmp_path, monkeypatch):
    listed = rows(corpus)
    paths = pavoque_paths(listed) if corpus == "pavoque" else [row["path"] for row in listed]
    as_if_there(monkeypatch, paths)
    if corpus in TABLES:
        TABLES[corpus](tmp_path, listed)
    options = {"intensity": "all"} if corpus == "cafe" else {}
    scan = CORPORA[corpus].scan(tmp_path, options)
    label_of = {
        path: label(row)
        for path, row in zip(paths, listed, strict=True)
        if row["emotion"] != "UnKnown"
    }
    odd = [path for path in paths if path not in label_of]
    told = f"1 audio files were left out, as their names are not this corpus's: {''.join(odd)}"
    assert scan.notes == ([told] if corpus == "asvpesd" else [])
    assert {entry.path: entry.emotion for entry in scan.entries} == label_of
    assert Counter(label_of.values()) == Counter(CORPORA[corpus].expected(options))
    ids = [entry.id for entry in scan.entries]
    assert len({id.lower() for id in ids}) == len(label_of)
    assert not any(map(problem_with_id, ids))
    known = {entry.speaker for entry in scan.entries}
    if corpus in SPEAKERS:
        assert "" not in known
        assert len(known) == SPEAKERS[corpus]
    elif corpus in UNKNOWN:
        assert known == {""}
    assert CORPORA[corpus].speakers == (corpus not in UNKNOWN)
    if corpus in APART:
        fold_of = {row["path"]: row["test_fold"] for row in listed}
        pairs = {(entry.speaker, fold_of[entry.path]) for entry in scan.entries}
        assert len(pairs) == len(known)


def test_a_corpus_whole(tmp_path):
    listed = rows("urdu")
    for number, row in enumerate(listed):
        file = tmp_path / row["path"]
        file.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 1600)
        soundfile.write(file, noise, 16000)
    build = build_manifest("urdu", tmp_path)
    assert build.bad == []
    assert build.warnings == []
    assert build.manifest.counts() == dict(CORPORA["urdu"].counts)
    assert build.manifest.table["speaker"].nunique() == SPEAKERS["urdu"]
    (known,) = recognise(tmp_path, Progress(quiet=True))
    assert str(known) == "urdu: URDU, emotional speech of talk shows: whole, 400 utterances"
