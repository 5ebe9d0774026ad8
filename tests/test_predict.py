"""`ser predict`, as it is typed."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser import Recognizer, Run, extract_corpus, train
from ser.cli import main
from ser.tests.test_front_door import write_sounds

CORPORA = os.environ.get("SER_TEST_CORPORA")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Thirty sounds `c/NN.wav` as two corpora, and what was trained on them: the runs `one`, `two`
    and `svm`."""
    folder = tmp_path_factory.mktemp("predict")
    write_sounds(folder)
    lines = (folder / "mine.csv").read_text().replace("neutral", "calm")
    (folder / "yours.csv").write_text(lines)
    for corpus, language in (("mine", "de"), ("yours", "it")):
        extract_corpus(
            *(corpus, folder / "c", "mfcc", folder / "cache"),
            csv=folder / f"{corpus}.csv",
            language=language,
            workers=0,
        )
    settings = {"features": "mfcc", "cache": folder / "cache", "repeats": 1}
    quick = ["train.epochs=3", "train.members=1"]
    train("single", "mine", out=folder / "one", changes=quick, **settings)
    train("baseline", "mine", out=folder / "svm", **settings)
    train(
        *("multidomain", "mine,yours"), method="sb", out=folder / "two", changes=quick, **settings
    )
    return folder


@pytest.fixture
def here(place, tmp_path, monkeypatch):
    """A folder with some of the sounds, two files that are none, and the runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sounds").mkdir()
    for number in range(5):
        shutil.copy(place / "c" / f"{number:02}.wav", tmp_path / "sounds")
    (tmp_path / "text.wav").write_text("This is no sound.")
    for name in ("one", "two", "svm"):
        (tmp_path / name).symlink_to(place / name)
    return tmp_path


def predict(*arguments):
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def refused(result, code, *says):
    """One clear message, the exit code, nothing on stdout, and no traceback."""
    assert result.exit_code == code, result.output
    for words in says:
        assert words in result.stderr, result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_what_the_recognizer_says(here):
    told = Recognizer("one")(["sounds/00.wav", "sounds/01.wav"])
    result = predict("--run", "one", "sounds/00.wav", "sounds/01.wav", "--format", "jsonl")
    assert result.exit_code == 0, result.output
    assert result.stderr == "note: head mine (de): the run has no other\n"
    for line, (file, row) in zip(result.stdout.splitlines(), told.iterrows(), strict=True):
        said = json.loads(line)
        assert (said["file"], said["emotion"]) == (file, row.emotion)
        for label, probability in said["probabilities"].items():
            assert probability == pytest.approx(row[f"p_{label}"], abs=1e-6)
        assert said["probability"] == max(said["probabilities"].values())
    table = predict("--run", "one", "sounds/00.wav").stdout.splitlines()
    assert table[0].split() == ["file", "emotion", "p", "next"]
    assert table[1].split()[:2] == ["sounds/00.wav", told.emotion.iloc[0]]


def test_several_heads(here):
    result = predict("--run", "two", "sounds", "--format", "jsonl")
    assert "note: heads mine (de), yours (it), averaged: no corpus and no lang" in result.stderr
    said = json.loads(result.stdout.splitlines()[0])
    heads = {corpus: said["heads"][corpus]["probabilities"] for corpus in ("mine", "yours")}
    assert set(heads["mine"]) == {"neutral", "anger", "sadness"}
    assert set(heads["yours"]) == {"calm", "anger", "sadness"}
    for label, probability in said["probabilities"].items():
        mean = sum(head.get(label, 0) for head in heads.values()) / 2
        assert probability == pytest.approx(mean, abs=2e-6)
    one = predict("--run", "two", "sounds", "--format", "jsonl", "--language", "it")
    assert "note: head yours (it): one head serves it" in one.stderr
    assert json.loads(one.stdout.splitlines()[0])["probabilities"] == heads["yours"]
    other = predict("--run", "two", "sounds", "--format", "jsonl", "--language", "other")
    assert other.stdout == result.stdout
    table = predict("--run", "two", "sounds")
    assert "(mine: " in table.stdout.splitlines()[1]


def test_labels_and_unsure(here):
    result = predict(
        *("--run", "two", "sounds/00.wav", "--corpus", "mine,yours", "--format", "csv"),
        *("--labels", "anger", "--labels", "sad", "--unsure", "1"),
    )
    assert result.exit_code == 0, result.output
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert list(row) == ["file", "emotion", "probability", "p_anger", "p_sadness"]
    assert row["emotion"] == "unsure"
    assert float(row["p_anger"]) + float(row["p_sadness"]) == pytest.approx(1, abs=2e-6)


def test_every_format(here):
    samples = np.random.default_rng(0).normal(scale=0.1, size=16000)
    for name in ("x.flac", "x.aiff", "x.mp3", "x.ogg"):
        soundfile.write(name, samples, 16000)
    soundfile.write("x.opus", samples, 16000, format="OGG", subtype="OPUS")
    for name in ("x.mp3", "x.ogg", "x.opus"):
        data = Path(name).read_bytes()
        Path(f"cut-{name}").write_bytes(data[: len(data) // 2])
    Path("x.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100))
    names = ["x.flac", "x.aiff", "x.mp3", "x.ogg", "x.opus"]
    good = predict("--run", "one", *names, "--format", "csv")
    assert good.exit_code == 0, good.output
    assert [line.split(",")[0] for line in good.stdout.splitlines()] == ["file", *names]
    bad = predict("--run", "one", "cut-x.mp3", "cut-x.ogg", "cut-x.opus", "x.m4a")
    assert bad.exit_code == 2
    assert bad.stderr.count("truncated: ") == 3
    assert "left out: x.m4a: cannot be decoded: Format not recognised" in bad.stderr
    assert "if it is audio, convert it: ffmpeg -i OLD NEW.wav" in bad.stderr
    assert bad.stderr.endswith("ser: none of the 4 files can be used\n")


def test_bad_files_are_told_and_left_out(here):
    result = predict("--run", "one", "text.wav", "sounds/00.wav", "--format", "csv")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 2
    assert "left out: text.wav: cannot be decoded: " in result.stderr
    assert result.stderr.endswith("1 of 2 files is bad\n")


def test_what_is_longer_than_an_hour_has_windows(here):
    soundfile.write("long.wav", np.zeros(3601 * 4000, "i2"), 4000, subtype="PCM_U8")
    result = predict("--run", "one", "long.wav")
    refused(result, 2, "long.wav: too long: 3601 s of sound or more, ", ", or ask for windows: --w")


def test_a_terminal_is_safe(here):
    name = "a\x1b[2J\u202e.wav"
    shutil.copy("sounds/00.wav", name)
    Path("bad\x1b.wav").write_text("no sound")
    for form in ("table", "csv", "jsonl"):
        result = predict("--run", "one", name, "bad\x1b.wav", "--format", form)
        assert result.exit_code == 3
        assert "\x1b" not in result.output
        assert "\u202e" not in result.output
    out = predict("--run", "one", name, "--out", "out.csv")
    assert out.exit_code == 0, out.output
    rows = csv.reader(io.StringIO(Path("out.csv").read_text("utf-8")))
    assert [row[0] for row in rows] == ["file", name]


def test_a_list_in_a_file_that_is_finished(here):
    Path("list.csv").write_text("path,id\nsounds/03.wav,c\ntext.wav,t\nsounds/01.wav,a\n")
    typed = ("--run", "one", "list.csv", "--out", "out.csv", "--workers", 2)
    first = predict(*typed)
    assert first.exit_code == 3
    assert first.stdout == ""
    content = Path("out.csv").read_bytes()
    assert [line.split(b",")[:2] for line in content.splitlines()] == [
        *([b"file", b"id"], [b"sounds/03.wav", b"c"], [b"sounds/01.wav", b"a"]),
    ]
    again = predict(*typed)
    assert again.exit_code == 0
    assert "nothing was missing: all 3 files were done" in again.stderr
    assert "1 of them was bad, as before" in again.stderr
    assert Path("out.csv").read_bytes() == content
    other = predict(*typed, "--unsure", ".5")
    refused(other, 2, "out.csv: it was made with another unsure; give another --out")
    assert Path("out.csv").read_bytes() == content


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["--run", "one", "text.wav"], "text.wav: cannot be decoded: Format not recognised"),
        (["--run", "one", "gone.wav"], "gone.wav: no such file or folder"),
        (["--run", "one", "gone.csv"], "no such file: gone.csv"),
        (["--run", "one", "empty"], "empty: no audio file in it"),
        (["--run", "one", "wrong.csv"], "wrong.csv, line 1: the column 'path' is missing"),
        (["--run", "one"], "Missing argument 'FILES...'"),
        (["sounds"], "Missing option '--run'"),
        (["--run", "sounds", "sounds"], "sounds: not the folder of a run: "),
        (["--run", "svm", "sounds"], "svm: it is a baseline, whose models are not kept"),
        (["--run", "one", "sounds", "--repeat", "7"], "holds no model of repeat 7"),
        (["--run", "one", "sounds", "--fold", "7"], "holds no model of repeat 0, fold 7"),
        (["--run", "two", "sounds", "--language", "fr"], "there are mine (de), yours (it); --lang"),
        (["--run", "two", "sounds", "--corpus", "yuors"], "(did you mean 'yours'?)"),
        (["--run", "two", "sounds", "--labels", "angst,calm"], "--labels angst: no head knows it"),
        (["--run", "one", "sounds", "--labels", "anger"], "expected at least two"),
        (["--run", "one", "sounds", "--labels", "anger,,"], "expected names with commas between"),
        (["--run", "one", "sounds", "--unsure", "40"], "40.0 is not in the range 0<=x<=1"),
        (["--run", "one", "sounds", "--out", "o.txt"], "expected a name in .csv or .jsonl"),
        (["--run", "one", "sounds", "--out", "list.csv"], "list.csv: it is not known what it is"),
        (["--run", "one", "sounds", "--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_one_clear_message(here, typed, says):
    Path("empty").mkdir()
    Path("wrong.csv").write_text("file\nsounds/00.wav\n")
    Path("list.csv").write_text("path\nsounds/00.wav\n")
    refused(predict(*typed), 2, says)
    assert Path("list.csv").read_text() == "path\nsounds/00.wav\n"


def test_a_run_of_another_version_and_weights_that_are_not_here(here, place, monkeypatch):
    from ser.errors import MissingWeightsError
    from ser.extract.backbones.mfcc import Mfcc
    from ser.train.runs import run

    shutil.copytree(place / "one", "old")
    monkeypatch.setattr(run, "FORMAT", run.FORMAT + 1)
    refused(predict("--run", "old", "sounds"), 2, "config.json is of another version of ser")
    monkeypatch.setattr(run, "FORMAT", run.FORMAT - 1)
    with monkeypatch.context() as patch:
        patch.setattr(Mfcc, "version", 99)
        result = predict("--run", "one", "sounds")
        refused(result, 2, "one: was trained on ", "of other version: extract with it and train")

    def missing(self):
        raise MissingWeightsError("no weights of mfcc; ser weights fetch mfcc")

    monkeypatch.setattr(Mfcc, "weights", missing)
    refused(predict("--run", "one", "sounds"), 1, "ser: no weights of mfcc; ser weights fetch mfcc")


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_and_typed_again(place, tmp_path):
    """With a real process; the bytes are those of a command that was left alone."""
    names = [f"c/{number % 30:02}.wav" for number in range(300)]
    names[3] = "mine.csv"  # no sound
    listed = place / "list.csv"
    listed.write_text("path\n" + "".join(f"{name}\n" for name in names))
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    typed = ["--run", str(place / "one"), str(listed), "--workers", "0", "--out"]
    assert predict(*typed, whole).exit_code == 3
    typed[4] = "1"
    command = [sys.executable, "-m", "ser.cli", "predict", *typed]
    sizes = []
    for lines in (1, 120):
        process = subprocess.Popen([*command, str(out)], stderr=subprocess.DEVNULL)
        for _ in range(6000):
            if out.exists() and out.read_bytes().count(b"\n") > lines:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        sizes.append(out.stat().st_size)
    assert 0 < sizes[0] < sizes[1] < whole.stat().st_size
    with out.open("ab") as file:
        file.write(b"torn")
    assert predict(*typed, out).exit_code == 0
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.skipif(not CORPORA, reason="SER_TEST_CORPORA names no folder of real corpora")
def test_the_test_part_of_emodb(tmp_path):
    """What `ser train` wrote of utterances, `ser predict` says of their files."""
    root, out = Path(CORPORA, "emodb"), tmp_path / "out.csv"
    extract_corpus("emodb", root, "mfcc", tmp_path / "cache")
    changes = ["train.epochs=4", "train.members=1"]
    run = train(
        *("single", "emodb"), features="mfcc", cache=tmp_path / "cache", out=tmp_path / "run",
        changes=changes, repeats=2,
    )  # fmt: skip
    table = Run.open(run.folder).predictions
    table = table[table.repeat == 1].set_index("id")
    files = {path.stem: path for path in sorted((root / "wav").iterdir())}
    rows = "".join(f"{id},{files[id]}\n" for id in table.index[:40])
    (tmp_path / "list.csv").write_text(f"id,path\n{rows}")
    result = predict("--run", run.folder, "--repeat", 1, tmp_path / "list.csv", "--out", out)
    assert result.exit_code == 0, result.output
    for row in csv.DictReader(io.StringIO(out.read_text("utf-8"))):
        trained = table.loc[row["id"]]
        assert row["emotion"] == trained.predicted
        for name in (name for name in row if name.startswith("p_")):
            assert float(row[name]) == pytest.approx(trained[name], abs=1e-4)
