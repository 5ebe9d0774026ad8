"""The demo as a whole, on corpora that are smaller than those it shows."""

import json
from functools import partial

import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.demo import run, synthesise

pytest.importorskip("espeakng_loader", reason="the demo extra is not installed")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(run, "synthesise", partial(synthesise, speakers=6, sentences=1))
    monkeypatch.setattr(run, "REPEATS", 1)


@pytest.mark.long
def test_it_ends_with_a_page_and_what_is_said_of_a_new_utterance(tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["demo", "--out", str(out), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    tested = [(each["method"], *each["domains"]) for each in said["runs"]]
    names = ("synthetic-german", "synthetic-french", "synthetic-english")
    assert tested == [*(("baseline", name) for name in names), ("sb", *names), ("ours", *names)]
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    told = said["prediction"]
    sounds = ["predict", "--run", str(out / "runs" / "ours"), "--corpus", "synthetic-german"]
    result = CliRunner().invoke(main, [*sounds, "--format", "jsonl", told["sound"]])
    assert json.loads(result.stdout)["emotion"] == told["emotion"]


def test_only_audio(tmp_path):
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "out"), "--only-audio"])
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"corpora", "new.wav"}
    root = tmp_path / "out" / "corpora" / "synthetic-english"
    first, *rows = (root / "labels.csv").read_text("utf-8").splitlines()
    assert first == "path,speaker,emotion"
    assert len(rows) == 6 * 4
    assert all((root / row.split(",")[0]).is_file() for row in rows)
