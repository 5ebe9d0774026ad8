"""Folds that others published, and `ser split`."""

import gzip
import json

import pandas as pd
import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.errors import InputError, LeakError
from ser.manifests import Manifest, check_leaks, read_published, read_splits, text_files
from ser.train.runs.run import Run

from .conftest import make_toy_cache, toy_manifest


def manifest(rows, corpus="mine"):
    """Of (path, speaker)."""
    return Manifest(
        pd.DataFrame(
            [
                {
                    "id": f"u{number:02}",
                    "corpus": corpus,
                    "language": "pt",
                    "speaker": speaker,
                    "gender": "",
                    "emotion": "fear",
                    "path": path,
                    "duration": 1.0,
                    "audio_hash": f"{number:032x}",
                }
                for number, (path, speaker) in enumerate(rows)
            ]
        )
    )


SPOKEN = manifest((f"wav/{n}.flac", f"s{n // 2}") for n in range(8))
"""Four speakers with two utterances each."""


def table(folder, rows, header="path,code,test_fold"):
    file = folder / "folds.csv"
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_by_hand(tmp_path):
    """Fold 3 has speaker s2 and s3: where it is tested, the first fold validates."""
    folds = [1, 1, 2, 2, 3, 3, 3, 3]
    file = table(tmp_path, [(f"other/place/{n}.WAV", "x", folds[n]) for n in range(8)])
    made = read_published(file, SPOKEN, "emobox")
    assert made.notes == ()
    assert [split.protocol for split in made.splits] == ["folds:emobox"] * 3
    assert [split.test for split in made.splits] == [
        ("u00", "u01"),
        ("u02", "u03"),
        ("u04", "u05", "u06", "u07"),
    ]
    last = made.splits[2]
    assert (last.train, last.validation) == (("u02", "u03"), ("u00", "u01"))


def test_what_is_not_in_both_is_counted_and_what_no_fold_tests_is_trained_on(tmp_path):
    folds = {"0": 1, "1": 2, "2": 3, "3": "", "x": 1}
    rows = [(f"{name}.wav", "", fold) for name, fold in folds.items()]
    made = read_published(table(tmp_path, rows), SPOKEN, "mine")
    assert made.notes == (
        "1 files of folds.csv are no utterance of mine: x.wav",
        "4 utterances of mine are not in folds.csv, and are not used: u04, u05, u06 and 1 more",
        "1 utterances are tested in no fold, and are trained on in all: u03",
    )
    assert all("u03" in split.train for split in made.splits)
    assert not any("u04" in split.train + split.validation for split in made.splits)


def test_of_one_fold_whole_speakers_validate_where_speakers_are_apart(tmp_path):
    twenty = manifest((f"{n}.wav", f"s{n // 2}") for n in range(24))
    file = table(tmp_path, [(f"{n}.wav", "", 1 if n < 4 else "") for n in range(24)])
    splits = read_published(file, twenty, "official", repeats=2).splits
    speaker = dict(zip(twenty.ids, twenty.table["speaker"], strict=True))
    for split in splits:
        check_leaks(twenty, split)
        assert [len(ids) for ids in split.parts().values()] == [16, 4, 4]
        people = [{speaker[id] for id in ids} for ids in split.parts().values()]
        assert sum(map(len, people)) == 12
    assert splits[0].validation != splits[1].validation
    assert splits[0].test == splits[1].test


def test_of_one_fold_recordings_validate_where_speakers_are_not_apart(tmp_path):
    file = table(tmp_path, [(f"{n}.wav", "", 1 if n % 2 else "") for n in range(8)])
    (split,) = read_published(file, SPOKEN, "official").splits
    assert [len(ids) for ids in split.parts().values()] == [3, 1, 4]


def test_files_are_told_apart_by_as_many_folders_as_it_takes(tmp_path):
    made = manifest((f"{s}/{t}.wav", s) for s in ("ann", "bob", "eve") for t in ("a", "b"))
    rows = [(f"x/{s}/{t}.wav", "", k) for k, s in enumerate(("eve", "ann", "bob")) for t in "ab"]
    splits = read_published(table(tmp_path, rows), made, "mine").splits
    assert [split.test for split in splits] == [("u04", "u05"), ("u00", "u01"), ("u02", "u03")]


def test_an_utterance_is_known_by_its_id_too(tmp_path):
    rows = [(f"U{n:02}.wav", "", n) for n in range(3)]
    assert read_published(table(tmp_path, rows), SPOKEN, "mine").splits[1].test == ("u01",)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([("0.wav", "", "one")], "line 2: test_fold 'one' is no whole number"),
        ([("0.wav", "", "-1")], "line 2: test_fold '-1' is no whole number"),
        ([("0.wav", "", 1), (" ", "", 1)], "line 3: the path is blank"),
        ([("x.wav", "", 1)], "none of its 1 files, such as x.wav, is one of mine, such as wav/0"),
        ([("0.wav", "", "")], "no file that mine has is tested in any fold"),
        ([("0.wav", "", 1), ("0.wav", "", 1)], "are not all different"),
        ([("0.wav", "", 1), ("u00.wav", "", 1)], "line 3: a second file for the utterance 'u00'"),
        ([], "has a header but no files"),
        ([(f"{number}.wav", "", 7) for number in range(len(SPOKEN))], "fold 7 tests all files"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path, rows, text):
    with pytest.raises(InputError) as caught:
        read_published(table(tmp_path, rows), SPOKEN, "mine")
    assert text in str(caught.value)


def test_copies_in_two_folds_are_a_leak(tmp_path):
    copied = SPOKEN.table.copy()
    copied.loc[1, "audio_hash"] = copied.loc[7, "audio_hash"]
    file = table(tmp_path, [(f"{n}.wav", "", n // 2) for n in range(8)])
    with pytest.raises(LeakError, match=r"audio in more than one part \(1\)"):
        read_published(file, Manifest(copied), "mine")


def test_a_table_in_gzip(tmp_path, monkeypatch):
    rows = [(f"{n}.wav", "", n // 2) for n in range(8)]
    plain = table(tmp_path, rows)
    packed = tmp_path / "folds.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_published(packed, SPOKEN, "x") == read_published(plain, SPOKEN, "x")
    monkeypatch.setattr(text_files, "MOST_BYTES", 1000)
    packed.write_bytes(gzip.compress(b"x" * 2000))
    with pytest.raises(InputError, match="unpacks to more than"):
        read_published(packed, SPOKEN, "x")
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-9])
    with pytest.raises(InputError, match="a compressed file that is damaged"):
        read_published(packed, SPOKEN, "x")


# --- the commands ---


@pytest.fixture
def cache(tmp_path):
    return make_toy_cache(tmp_path / "cache", toy_manifest(60, speakers=6), noise=4.0)


def ser(cache, *words, code=0):
    done = CliRunner().invoke(main, [*words, "--cache", str(cache.folder)])
    assert done.exit_code == code, done.output
    return done.output


def test_published_folds_from_a_table_to_a_number(cache, tmp_path):
    known = cache.manifest("toy")
    speakers = known.table["speaker"].str.removeprefix("s").astype(int)
    rows = zip(known.table["path"], known.ids, speakers // 2 + 1, strict=True)
    out = tmp_path / "split.csv"
    file = table(tmp_path, rows)
    words = ("split", "import", str(file), "--corpus", "toy", "--name", "mine", "--out", str(out))
    text = ser(cache, *words)
    assert "protocol folds:mine, 3 splits; none leaks" in text
    assert "No test speaker is in training." in text
    ser(cache, *words)  # the same once more
    ser(cache, *words, "--repeats", "2", code=2)
    train = ("train", "--setting", "baseline", "--corpus", "toy", "--features", "ge2e")
    text = ser(cache, *train, "--split", str(out), "--out", str(tmp_path / "run"))
    assert "protocol folds:mine, 1 repeat of 3 folds, 60 test utterances each" in text
    assert "The folds are those of mine. No test speaker is in training" in text
    assert "jackknife over speakers" in text
    assert Run.open(tmp_path / "run").config.protocol == "folds:mine"


def test_folds_that_do_not_keep_speakers_apart_say_so(cache, tmp_path):
    rows = [(f"u{n:03}.wav", "", n % 4) for n in range(60)]
    out = tmp_path / "split.csv"
    file = table(tmp_path, rows)
    words = ("split", "import", str(file), "--corpus", "toy", "--name", "mine", "--out", str(out))
    assert "Speakers overlap: up to 6 of a test part" in ser(cache, *words)
    train = ("train", "--setting", "baseline", "--corpus", "toy", "--features", "ge2e")
    text = ser(cache, *train, "--split", str(out), "--out", str(tmp_path / "run"))
    assert "The folds are those of mine. Speakers overlap" in text


def test_splits_are_made_and_checked(cache, tmp_path):
    out = tmp_path / "split.csv"
    make = ("split", "make", "--corpus", "toy", "--out", str(out))
    text = ser(cache, *make, "--protocol", "speaker", "--folds", "all")
    assert "6 splits; none leaks" in text
    assert ser(cache, "split", "check", str(out), "--corpus", "toy") == text
    found = json.loads(ser(cache, "split", "check", str(out), "--corpus", "toy", "--json"))
    assert sum(row["test"] for row in found["splits"]) == 60
    assert "would be replaced" in ser(cache, *make, code=2)
    assert "protocol paper, 5 splits" in ser(cache, *make, "--overwrite")
    assert len(read_splits(out, cache.manifest("toy"))) == 5
    lines = out.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.endswith(",test"))
    lines[number] = lines[number].removesuffix("test") + "dev"
    out.write_text("\n".join(lines) + "\n")
    wrong = ser(cache, "split", "check", str(out), "--corpus", "toy", code=2)
    assert f"line {number + 1}: unknown part 'dev'" in wrong
