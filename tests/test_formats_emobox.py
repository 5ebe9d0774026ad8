"""EmoBox's lists, as they are laid out there: labels, folds, paths of where they were made."""

import csv
import gzip
import json
import os
from pathlib import Path

import pytest

from ser.errors import InputError
from ser.manifests import problem_with_id, read_published
from ser.manifests.formats import emobox_lists

from .test_manifests_build import speak
from .voices import read_back

WORDS = {"anger": "Angry", "boredem": "Boredom", "happy": "Happy"}
EMOTIONS = ("anger", "boredem", "happy", "anger", "happy")


def line(number, emotion, **more):
    facts = {"key": f"mine-{number}", "dataset": "mine", "wav": f"downloads/mine/wav/{number}.wav"}
    return facts | {"type": "raw", "length": 0.12, "emo": emotion, "channel": 1} | more


def write(file, lines):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))


@pytest.fixture
def lists(tmp_path):
    """Lists of five utterances and two folds, and `wav`, the sound of all."""
    folder = tmp_path / "data" / "mine"
    lines = [line(number, emotion) for number, emotion in enumerate(EMOTIONS)]
    write(folder / "mine.jsonl", lines)
    (folder / "label_map.json").write_text(json.dumps(WORDS))
    for fold, test in ((1, (0, 1)), (2, (2, 3))):
        parts = {
            "test": [lines[n] for n in test],
            "train": [lines[n] for n in range(5) if n not in test],
        }
        for part, kept in parts.items():
            write(folder / f"fold_{fold}" / f"mine_{part}_fold_{fold}.jsonl", kept)
    for number in range(5):
        speak(tmp_path / "corpus" / "wav" / f"{number}.wav", number)
    return folder


def read(lists, root, language="de", **options):
    return read_back(f"emobox:{lists}", root, language, **options)


def message(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


def test_labels_folds_and_paths(lists, tmp_path):
    build = read(lists, tmp_path / "corpus")
    table = build.manifest.table
    assert table["id"].tolist() == [f"mine-{number}" for number in range(5)]
    assert table["path"].tolist() == [f"wav/{number}.wav" for number in range(5)]
    assert table["emotion"].tolist() == ["anger", "boredom", "happiness", "anger", "happiness"]
    assert table["test_fold"].tolist() == ["1", "1", "2", "2", ""]
    assert set(table["speaker"]) == {""}
    assert "all paths begin with 'downloads/mine', and were read without it" in build.warnings
    assert read(lists / "mine.jsonl", tmp_path / "corpus").manifest.id == build.manifest.id


def test_the_manifest_is_a_list_of_folds(lists, tmp_path):
    manifest = read(lists, tmp_path / "corpus").manifest
    manifest.save(tmp_path / "mine.csv")
    published = read_published(tmp_path / "mine.csv", manifest, "emobox")
    assert [split.test for split in published.splits] == [
        ("mine-0", "mine-1"),
        ("mine-2", "mine-3"),
    ]


def test_folds_alone(lists, tmp_path):
    (lists / "mine.jsonl").unlink()
    assert len(read(lists, tmp_path / "corpus").manifest) == 5


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"wav": "x.wav"}, "has the wav 'downloads/mine/wav/0.wav', and the train part of fold 2"),
        ({"emo": "happy"}, "has the emo 'anger', and the train part of fold 2, line 1, 'happy'"),
        ({"end_time": 3}, "has the end_time None, and the train part of fold 2, line 1, 3"),
        ({"emo": None}, "the train part of fold 2, line 1: no emo"),
    ],
)
def test_folds_alone_in_which_a_key_is_of_two_utterances(lists, tmp_path, other, told):
    (lists / "mine.jsonl").unlink()
    train = lists / "fold_2" / "mine_train_fold_2.jsonl"
    first, *rest = map(json.loads, train.read_text().splitlines())
    write(train, [first | other, *rest])
    found = message(lists, tmp_path / "corpus")
    assert told in found
    assert "the key 'mine-0' is not of one utterance" in found or other == {"emo": None}


def test_keys_of_folds_that_the_list_lacks_are_told(lists, tmp_path):
    write(lists / "mine.jsonl", [line(number, EMOTIONS[number]) for number in range(4)])
    build = read(lists, tmp_path / "corpus")
    told = f"1 keys of folds are not in {lists / 'mine.jsonl'}, and were left out: mine-4"
    assert told in build.warnings


def test_an_official_part_that_validates_and_a_fold_that_tests_again(lists, tmp_path):
    write(lists / "fold_1" / "mine_valid_fold_1.jsonl", [line(4, "happy")])
    write(lists / "fold_2" / "mine_test_fold_2.jsonl", [line(0, "anger"), line(2, "happy")])
    build = read(lists, tmp_path / "corpus")
    assert build.manifest.table["valid_fold"].tolist() == ["", "", "", "", "1"]
    assert build.manifest.table["test_fold"].tolist() == ["1", "1", "2", "", ""]
    assert "1 utterances are in the test part of several folds" in " ".join(build.warnings)


def test_without_a_map_words_are_the_corpus_own(lists, tmp_path):
    (lists / "label_map.json").unlink()
    assert "unknown emotion 'boredem' (did you mean" in message(lists, tmp_path / "corpus")
    build = read(lists, tmp_path / "corpus", emotions="boredem=boredom")
    assert build.manifest.counts()["boredom"] == 1


def test_pieces(lists, tmp_path):
    whole, piece = {"start_time": 0, "end_time": 0.12}, {"start_time": 0.02, "end_time": 0.06}
    cut = [line(0, EMOTIONS[0], **whole), line(1, EMOTIONS[1], **piece)]
    for each in cut:
        each["wav"] = each["wav"].removeprefix("downloads/mine/")
    write(lists / "mine.jsonl", cut)
    told = message(lists, tmp_path / "corpus")
    assert "1 of 2 utterances are pieces of longer recordings" in told
    write(lists / "mine.jsonl", [line(0, "anger", start_time=0, end_time=0.06)])
    assert "1 of 1 utterances are pieces" in message(lists, tmp_path / "corpus")  # downloads/mine
    write(lists / "mine.jsonl", [line(0, "anger", start_time="x", end_time=1)])
    assert "line 1: start_time 'x', end_time 1: expected seconds" in message(lists, tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: Input data was truncated"),
        ('{"key": "a", "wav": "a.wav"}', "line 1: no emo; expected a list of EmoBox"),
        ('{"key": 3, "wav": null, "emo": "x"}', "line 1: no key, wav"),
        ('{"key": "a", "wav": "../x.wav", "emo": "anger"}', "leaves the corpus root"),
        ('{"key": "a", "wav": "/etc/passwd", "emo": "anger"}', "not lie in the corpus root"),
        ('{"key": "a", "wav": NaN, "emo": "anger"}', "JSON is malformed"),
        ("\0", "not a text file"),
        ("", "has no utterances"),
        ("x" * 2_000_000, "longer than"),
    ],
)
def test_what_is_no_list(lists, tmp_path, text, told):
    (lists / "mine.jsonl").write_text(text)
    assert told in message(lists, tmp_path / "corpus")


def test_places_and_maps_that_are_none(lists, tmp_path):
    assert "no such file or folder" in message(tmp_path / "nothing", tmp_path)
    assert "holds no .jsonl" in message(tmp_path / "corpus", tmp_path)
    (lists / "label_map.json").write_text('{"anger": 3}')
    assert "expected a word for each word" in message(lists, tmp_path / "corpus")
    (tmp_path / "map.json").write_text("{}")
    (lists / "label_map.json").unlink()
    (lists / "label_map.json").symlink_to(tmp_path / "map.json")
    assert "it is a link that leads out of" in message(lists, tmp_path / "corpus")
    write(lists / "other.jsonl", [])
    assert "several lists, mine.jsonl, other.jsonl" in message(lists, tmp_path)


@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "meld"])
def test_lists_of_real_corpora(corpus, tmp_path):
    """What EmoBox lists of a corpus, in its own form; the lists that are here are tables."""
    folder = os.environ.get("SER_TEST_CORPORA", "")
    table = Path(folder).parent / "emobox" / f"{corpus}.csv.gz"
    if not folder or not table.is_file():
        pytest.skip(f"no list of {corpus} in emobox beside SER_TEST_CORPORA")
    with gzip.open(table, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines, tested = [], {}
    for row in rows:
        key = f"{corpus}-{Path(row['path']).with_suffix('').as_posix().replace('/', '-')}"
        wav = f"downloads/{corpus}/{row['path']}"
        lines.append({"key": key, "wav": wav, "emo": row["code"], "length": float(row["seconds"])})
        tested.setdefault(row["test_fold"], []).append(lines[-1])
    write(tmp_path / f"{corpus}.jsonl", lines)
    words = {row["code"]: row["emotion"] for row in rows}
    (tmp_path / "label_map.json").write_text(json.dumps(words))
    for fold in filter(None, tested):
        write(tmp_path / f"fold_{fold}" / f"{corpus}_test_fold_{fold}.jsonl", tested[fold])
    read = emobox_lists.read_lists(str(tmp_path), tmp_path, {})
    assert read.columns["emotion"] == [row["emotion"] for row in rows]
    assert read.columns["test_fold"] == [row["test_fold"] for row in rows]
    assert [problem_with_id(key) for key in read.columns["id"]].count(None) == len(rows)


@pytest.mark.parametrize(("other", "told"), [({"wav": "7.wav"}, "7.wav"), ({"emo": "x"}, "x")])
def test_folds_that_contradict_the_list(lists, tmp_path, other, told):
    test = lists / "fold_1" / "mine_test_fold_1.jsonl"
    first, *rest = map(json.loads, test.read_text().splitlines())
    write(test, [first | other, *rest])
    said = message(lists, tmp_path / "corpus")
    assert "the key 'mine-0' is not of one utterance: it is 0.wav and " in said
    assert "in the test part of fold 1, line 1; have them agree" in said
    assert told in said
