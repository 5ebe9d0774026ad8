"""`ser runs` and `ser compare`."""

import json
import shutil

import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.train.runs.report import decimal
from ser.train.runs.run import Run

from .forged_runs import rewrite, seal


def ser(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def runs(toy_runs, tmp_path):
    """A copy that can be changed."""
    return shutil.copytree(toy_runs / "runs", tmp_path / "runs")


def test_runs_are_listed_with_their_rates(toy_runs):
    listed = ser("runs", toy_runs / "runs")
    assert listed.exit_code == 0, listed.output
    head, *lines = listed.stdout.splitlines()
    assert head.split() == ["run", "corpora", "model", "features", "protocol", "UA", "finished"]
    assert [line.split()[0] for line in lines] == ["svm", "single", "ours", "held_out"]
    metrics = Run.open(toy_runs / "runs" / "ours").metrics["domains"]
    rates = [metrics[corpus]["ua"]["mean"] for corpus in ("toy", "tic")]
    mean = decimal(sum(rates) / 2)
    assert f"{mean} (toy {decimal(rates[0])}, tic {decimal(rates[1])})" in lines[2]
    assert "ours (strong with train.epochs=3, train.members=2)" in lines[2]
    assert "mfcc + ge2e" in lines[2]
    assert "speaker, 1 repeat " in lines[3]
    plain = json.loads(ser("runs", toy_runs / "runs", "--json").stdout)
    assert plain["left_out"] == []
    assert [each["ua"] for each in plain["runs"]][2] == pytest.approx(sum(rates) / 2)
    assert plain["runs"][0]["preset"] is None
    assert plain["runs"][1]["corpora"] == ["toy"]


def test_nested_runs_are_found_and_the_rest_is_said(runs):
    (runs / "deep" / "er").mkdir(parents=True)
    (runs / "single").rename(runs / "deep" / "er" / "single")
    (runs / "notes").mkdir()
    (runs / ".ser-unfinished").mkdir()
    (runs / "held_out" / "config.json").write_text('{"format": 2}')
    seal(runs / "held_out")
    about = json.loads((runs / "svm" / "versions.json").read_text())
    (runs / "svm" / "versions.json").write_text(json.dumps(about | {"sha256": "0" * 64}))
    (runs / "again").symlink_to(runs, target_is_directory=True)
    (runs / "svm\x1b[2J").mkdir()
    (runs / "svm\x1b[2J" / "metrics.json").write_text("{}")
    listed = ser("runs", runs)
    assert listed.exit_code == 0, listed.output
    assert "deep" in listed.stdout
    assert "config.json is of another version of ser; train it anew" in listed.stderr
    assert f"left out: {runs / 'notes'}: no run in it" in listed.stderr
    assert "svm: not the folder of a run: versions.json is damaged, or of another" in listed.stderr
    assert "\x1b" not in listed.output
    assert ".ser-unfinished" not in listed.output
    assert len(json.loads(ser("runs", runs, "--json").stdout)["left_out"]) == 4


def test_no_folder_and_an_empty_one(tmp_path):
    missing = ser("runs", tmp_path / "none")
    assert (missing.exit_code, "there is no such folder" in missing.stderr) == (2, True)
    empty = ser("runs", tmp_path)
    assert (empty.exit_code, empty.stdout) == (0, f"{tmp_path}: no runs\n")


def test_a_run_is_itself_a_folder_of_runs(toy_runs):
    assert ser("runs", toy_runs / "runs" / "svm").stdout.splitlines()[1].startswith(". ")


def test_runs_are_compared_on_what_they_share(toy_runs):
    names = [toy_runs / "runs" / name for name in ("svm", "single", "ours")]
    found = ser("compare", *names)
    assert found.exit_code == 0, found.output
    assert "[3] against [1]  toy" in found.stdout
    assert "These are 3 tests, and p is not corrected for that." in found.stdout
    assert "only one of them was tested on tic" in found.stderr
    rows = json.loads(ser("compare", *names, "--json").stdout)
    rates = [Run.open(name).metrics["domains"]["toy"]["ua"]["mean"] for name in names]
    for row in rows:
        one, than = (
            names.index(toy_runs / "runs" / row[k].split("/")[-1]) for k in ("run", "than")
        )
        assert row["corpora"]["toy"]["difference"] == pytest.approx(rates[one] - rates[than])
        assert row["over"] == "utterances"


def test_speakers_come_from_the_cache(toy_runs, tmp_path):
    run = toy_runs / "runs" / "held_out"
    found = ser("compare", run, run, "--json", "--cache", toy_runs / "cache")
    (row,) = json.loads(found.stdout)
    assert (row["over"], row["corpora"]["toy"]["units"]) == ("speakers", 6)
    blind = ser("compare", run, run, "--cache", tmp_path / "none")
    assert blind.exit_code == 2
    assert "the tests need its speakers" in blind.stderr


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("manifest", "0" * 16, "not of the same utterances"),
        ("labels_hash", "0" * 16, "with other emotions or speakers"),
        ("split_hash", "0" * 16, "other splits"),
    ],
)
def test_what_cannot_be_paired_is_said(runs, name, value, why):
    def change(config):
        config["corpora"]["toy"][name] = value
        return config

    rewrite(runs / "single", "config.json", change)
    found = ser("compare", runs / "svm", runs / "single")
    assert found.exit_code == 2
    assert f"toy: {why}" in found.stderr
    assert "no two of these runs can be compared" in found.stderr


def test_other_protocols_and_other_repeats_are_no_pair(toy_runs, runs):
    found = ser("compare", runs / "single", runs / "held_out")
    assert "protocol speaker against paper" in found.stderr

    rewrite(runs / "single", "config.json", lambda config: config | {"seeds": [0]})
    assert "2 repeats against 1" in ser("compare", runs / "single", runs / "svm").stderr + (
        ser("compare", runs / "svm", runs / "single").stderr
    )


def test_one_run_is_compared_with_nothing(toy_runs):
    found = ser("compare", toy_runs / "runs" / "svm")
    assert (found.exit_code, "expected two runs or more" in found.stderr) == (2, True)
