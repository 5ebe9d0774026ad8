"""`ser predict --window`: recordings, as it is typed."""

import csv
import io
import json
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser import Recognizer
from ser.cli import main
from ser.tests.audio_files import noise
from ser.tests.test_recognizer_track import run  # noqa: F401 - a fixture


@pytest.fixture
def here(run, tmp_path, monkeypatch):  # noqa: F811
    """A folder with the run and a recording of five seconds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(run)
    soundfile.write("long.wav", noise(5), 16000, subtype="FLOAT")
    return tmp_path


def predict(*arguments):
    command = ["predict", "--run", "run", *map(str, arguments)]
    return CliRunner().invoke(main, command)


def table(text):
    return [*csv.DictReader(io.StringIO(text))]


def test_rows(here):
    windows = [*Recognizer("run").track("long.wav", window=2, hop=1.5, speech=0)]
    asked = ("long.wav", "--window", 2, "--hop", 1.5, "--speech", 0)
    result = predict(*asked, "--format", "csv")
    assert result.exit_code == 0, result.output
    rows = table(result.stdout)
    assert [*rows[0]] == [
        *("file", "start", "end", "speech", "emotion", "probability"),
        *("p_neutral", "p_anger", "p_sadness"),
    ]
    assert [(row["start"], row["end"]) for row in rows] == [
        ("0.000", "2.000"),
        ("1.500", "3.500"),
        ("3.000", "5.000"),
    ]
    lines = [json.loads(line) for line in predict(*asked, "--format", "jsonl").stdout.splitlines()]
    for row, line, window in zip(rows, lines, windows, strict=True):
        assert row["file"] == line["file"] == "long.wav"
        assert row["emotion"] == line["emotion"] == window.answer.emotion
        assert float(row["probability"]) == pytest.approx(window.answer.probability, abs=1e-6)
        assert line["end"] == window.end
        assert 0 <= line["speech"] == float(row["speech"]) <= 1
    unsure = predict(*asked, "--format", "csv", "--unsure", 1)
    assert {row["emotion"] for row in table(unsure.stdout)} == {"unsure"}
    two = predict(*asked, "--format", "csv", "--labels", "anger,neutral")
    assert [*table(two.stdout)[0]][6:] == ["p_neutral", "p_anger"]


def test_noise_is_no_speech(here):
    result = predict("long.wav", "--window", 3, "--format", "csv")
    assert result.exit_code == 0
    rows = table(result.stdout)
    assert [row["start"] for row in rows] == ["0.000", "1.000", "2.000"]
    assert {(row["emotion"], row["probability"], row["p_anger"]) for row in rows} == {("", "", "")}
    lines = predict("long.wav", "--hop", 1, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["emotion"] for line in lines] == [None] * 3
    assert predict("long.wav", "--window", 3).stdout.splitlines()[1].split() == [
        *("long.wav", "0.0-3.0", "-")
    ]


def test_a_recording_that_breaks_in_the_middle(here):
    sound = noise(5)
    sound[70_000] = np.inf
    soundfile.write("torn.wav", sound, 16000, subtype="FLOAT")
    whole = predict("long.wav", "--window", 2, "--speech", 0, "--format", "csv")
    torn = predict("torn.wav", "--window", 2, "--speech", 0, "--format", "csv", "--out", "x.csv")
    assert torn.exit_code == 3, torn.output
    assert "ends early: torn.wav: after 4.38 s: holds samples that are no finite" in torn.stderr
    rows = (here / "x.csv").read_text()
    assert rows.replace("torn.wav", "long.wav") == "".join(
        whole.stdout.splitlines(keepends=True)[:4]
    )
    (here / "cut.wav").write_bytes((here / "long.wav").read_bytes()[:-9000])
    refused = predict("cut.wav", "--window", 2)
    assert refused.exit_code == 2
    assert "cut.wav: truncated" in refused.stderr
    assert refused.stdout == ""


def test_several_recordings_into_a_file(here):
    soundfile.write("other.wav", noise(3, seed=1), 16000)
    asked = ("long.wav", "other.wav", "--window", 2, "--speech", 0)
    printed = predict(*asked, "--format", "csv")
    written = predict(*asked, "--out", "rows.csv")
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert (here / "rows.csv").read_text() == printed.stdout
    assert [row["file"] for row in table(printed.stdout)] == ["long.wav"] * 4 + ["other.wav"] * 2
    again = predict(*asked, "--out", "rows.csv")
    assert "nothing was missing" in again.stderr
    other = predict("long.wav", "other.wav", "--window", 3, "--out", "rows.csv")
    assert other.exit_code == 2
    assert "made with another" in other.stderr


def test_a_figure(here):
    result = predict("long.wav", "--plot", "x.svg", "--speech", 0, "--out", "x.csv")
    assert result.exit_code == 0, result.output
    assert (here / "x.svg").read_bytes().startswith(b"<?xml")
    again = predict("long.wav", "--plot", "y.svg", "--speech", 0, "--out", "x.csv")
    assert again.exit_code == 2
    assert "is not computed again" in again.stderr
    before = (here / "x.svg").read_bytes()
    refused = predict("long.wav", "--plot", "x.svg", "--hop", 2, "--speech", 0)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--plot x.svg: is there and would be replaced" in refused.stderr
    assert (here / "x.svg").read_bytes() == before
    assert predict("long.wav", "--plot", "x.svg", "--hop", 2, "--speech", 0, "--overwrite").stdout
    assert (here / "x.svg").read_bytes() != before


def test_a_figure_is_drawn_of_what_is_safe(here, monkeypatch):
    """What cannot be drawn costs no results; what broke off is drawn as far as it goes."""
    torn = noise(5)
    torn[70_000] = np.inf
    soundfile.write("torn.wav", torn, 16000, subtype="FLOAT")
    assert predict("torn.wav", "--plot", "x.svg", "--speech", 0, "--out", "x.csv").exit_code == 3
    assert (here / "x.svg").exists()

    def full(*_):
        rows = (here / "y.csv").read_text().splitlines()
        assert len(rows) == 4
        raise OSError(28, "No space left on device", "y.svg")

    monkeypatch.setattr("ser.report.track.write_figure", full)
    failed = predict("long.wav", "--plot", "y.svg", "--speech", 0, "--out", "y.csv")
    assert failed.exit_code == 1
    assert "y.svg: no space left" in failed.stderr
    assert "nothing was missing" in predict("long.wav", "--speech", 0, "--out", "y.csv").stderr


def test_what_a_figure_needs_is_asked_for_before_any_work(here, monkeypatch):
    monkeypatch.setattr("ser.recognizer.Recognizer.__init__", lambda *_, **__: pytest.fail("work"))
    (here / "file").touch()
    result = predict("long.wav", "--plot", "file/x.svg")
    assert result.exit_code == 1
    assert "--plot file" in result.stderr
    assert "cannot be written" in result.stderr
    result = predict("long.wav", "--plot", "run/x.svg")
    assert result.exit_code == 2
    assert "which is a run and holds nothing else" in result.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = predict("long.wav", "--plot", "x.svg")
    assert result.exit_code == 1
    assert "need matplotlib" in result.stderr
    assert "[report]" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--window", 0.1), "--window 0.1: expected 0.5 to 60 seconds"),
        (("--window", "nan"), "--window nan: expected"),
        (("--hop", 0), "--hop 0: expected 0.05 seconds or more"),
        (("--speech", 2), "--speech 2: expected a share"),
        (("--plot", "x.gif"), "--plot x.gif: expected a name in .svg, .pdf, .png"),
        (("--plot", "x.svg", "long.wav"), "--plot x.svg: goes with one recording, not with 2"),
        (("--window", "three"), "not a valid float"),
        (("--window", 3, "--workers", 2), "--workers 2: windows are told by this process alone"),
    ],
)
def test_what_makes_no_sense(here, options, says):
    result = predict("long.wav", *options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""
