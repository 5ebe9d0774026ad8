"""What is finished is kept, taken up again, and thrown away where its numbers would differ."""

import ast
import importlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.methods import METHODS
from ser.train.runs import engine, load, pool, software, work
from ser.train.runs.request import Request
from ser.train.runs.train import train_request


def request(*changes, **others):
    config = load_config("paper", ["train.epochs=2", *changes])
    values = {"config": config, "repeats": 4, "workers": 1, **others}
    return Request("single", ["toy"], ["mfcc", "ge2e"], **values)


def trained(capsys):
    """How many jobs were done since the last look."""
    return capsys.readouterr().err.count(": repeat ")


def interrupted(monkeypatch, cache, out, *changes, after=2, **others):
    """Train until so many repeats are done."""
    run_jobs = pool.run_jobs

    def some(*arguments):
        for number, pair in enumerate(run_jobs(*arguments)):
            if number == after:
                raise KeyboardInterrupt
            yield pair

    with monkeypatch.context() as patch:
        patch.setattr(pool, "run_jobs", some)
        with pytest.raises(KeyboardInterrupt):
            train_request(request(*changes, **others), cache, out)


def test_finished_repeats_are_taken_up(toy_cache, tmp_path, monkeypatch, capsys):
    whole = train_request(request(), toy_cache, tmp_path / "whole" / "run")
    interrupted(monkeypatch, toy_cache, tmp_path / "run")
    trained(capsys)
    run = train_request(request(), toy_cache, tmp_path / "run")
    assert trained(capsys) == 2
    assert run.metrics["domains"] == whole.metrics["domains"]
    for name in ("predictions.csv", "history.json", "split.csv"):
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    left = [path.name for path in tmp_path.iterdir() if path.name not in ("cache", "whole")]
    assert left == ["run"]


def test_a_whole_run_is_not_trained_again(toy_cache, tmp_path, capsys):
    first = train_request(request(), toy_cache, tmp_path / "run")
    written = (tmp_path / "run" / "versions.json").stat().st_mtime_ns
    trained(capsys)
    again = train_request(request(), toy_cache, tmp_path / "run")
    assert trained(capsys) == 0
    assert again.metrics == first.metrics
    assert (tmp_path / "run" / "versions.json").stat().st_mtime_ns == written


def test_another_number_of_repeats_takes_up_those_that_are_the_same(
    toy_cache, tmp_path, monkeypatch, capsys
):
    interrupted(monkeypatch, toy_cache, tmp_path / "run", after=3)
    trained(capsys)
    train_request(request(repeats=2), toy_cache, tmp_path / "fewer")
    assert trained(capsys) == 0


@pytest.mark.parametrize("change", ["train.lr=0.002", "train.seed=1"])
def test_other_settings_take_up_nothing(toy_cache, tmp_path, monkeypatch, capsys, change):
    interrupted(monkeypatch, toy_cache, tmp_path / "run")
    trained(capsys)
    train_request(request(change), toy_cache, tmp_path / "run")
    assert trained(capsys) == 4


def test_a_preset_of_another_name_and_the_same_settings_takes_it_up(
    toy_cache, tmp_path, monkeypatch, capsys
):
    interrupted(monkeypatch, toy_cache, tmp_path / "run")
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "paper"\n[train]\nepochs = 2\n')
    trained(capsys)
    run = train_request(request(config=load_config(str(mine))), toy_cache, tmp_path / "run")
    assert trained(capsys) == 2
    assert run.metrics["preset"] == str(mine)


def test_code_that_can_change_a_number_invalidates_what_was_finished(
    toy_cache, tmp_path, monkeypatch, capsys
):
    interrupted(monkeypatch, toy_cache, tmp_path / "run")
    monkeypatch.setattr(software, "code_hash", lambda: "0badc0de")
    trained(capsys)
    train_request(request(), toy_cache, tmp_path / "run")
    assert trained(capsys) == 4


OWN_LOSS = """
from torch import nn

class Small(nn.Module):
    def __init__(self, settings):
        super().__init__()

    def forward(self, x, targets, classes):
        return x.square().mean()
"""


def test_a_loss_of_one_s_own_is_code_that_can_change_a_number(
    toy_cache, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(METHODS, "_items", dict(METHODS._items))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def method(code):
        (tmp_path / "own_loss.py").write_text(code)
        monkeypatch.delitem(sys.modules, "own_loss", raising=False)
        loss = importlib.import_module("own_loss").Small
        return replace(METHODS["single"], name="small", auxiliary=loss)

    interrupted(monkeypatch, toy_cache, tmp_path / "run", method=method(OWN_LOSS))
    trained(capsys)
    other = method(OWN_LOSS.replace("square", "abs"))
    train_request(request(method=other), toy_cache, tmp_path / "other")
    assert trained(capsys) == 4
    train_request(request(method=method(OWN_LOSS + "# why\n")), toy_cache, tmp_path / "run")
    assert trained(capsys) == 2
    other = method(OWN_LOSS.replace("square", "abs"))
    with pytest.raises(InputError, match="holds a different run"):
        train_request(request(method=other), toy_cache, tmp_path / "run")


def test_comments_and_docstrings_are_no_code(tmp_path):
    def meaning(text):
        (tmp_path / "code.py").write_text(text)
        return software.meaning(tmp_path / "code.py")

    plain = meaning("def f(x):\n    return x + 1\n")
    assert meaning('def f(x):  # why\n    """What."""\n\n    return (x + 1)\n') == plain
    assert meaning("def f(x):\n    return x + 2\n") != plain


def test_all_code_that_can_change_a_number_counts():
    root = Path(engine.__file__).parents[2]
    counted = {path for pattern in software.NUMBERS for path in root.glob(pattern)}
    kinds = ("networks.py", "baselines.py")
    reached, waiting = set(), [root / "train" / "runs" / name for name in kinds]
    while waiting:  # what the code of a job imports of training, anywhere in it
        path = waiting.pop()
        reached.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                module = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                names = [module.with_suffix(".py")]
                names += [module / f"{alias.name}.py" for alias in node.names]
                waiting += [n for n in names if n.is_file() and n not in reached]
    training = {path for path in reached if "train" in path.parts[-4:-1]}
    rest = {
        "splits.py",
        "software.py",
        "request.py",
        "run.py",
        "run_config.py",
        "whole.py",
        "choices.py",
        "results.py",
        "notes.py",
        "confidence.py",
        "curves.py",
        "temperatures.py",
        "states.py",
    }
    words = {"config.py"}
    assert {path.name for path in training - counted} <= rest | words


COMMAND = "from ser.cli import main; main()"


@pytest.mark.long
def test_a_training_that_was_killed_goes_on_where_it_was(toy_cache, tmp_path):
    arguments = ["train", "--setting", "single", "--corpus", "toy", "--workers", "1"]
    arguments += ["--repeats", "3", "--set", "train.epochs=8", "--cache", str(toy_cache.folder)]
    command = [sys.executable, "-c", COMMAND, *arguments]
    kept = tmp_path / "runs" / work.UNFINISHED
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)
    while process.poll() is None and not list(kept.glob("[!.]*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    finished = len(list(kept.glob("[!.]*")))
    assert 1 <= finished < 3
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.count(": repeat ") == 3 - finished
    (folder,) = (path for path in (tmp_path / "runs").iterdir())
    again = [*command, "--out", str(tmp_path / "whole" / "run")]
    subprocess.run(again, capture_output=True, check=True, cwd=tmp_path)
    ours, whole = (pd.read_csv(f / "predictions.csv") for f in (folder, tmp_path / "whole" / "run"))
    pd.testing.assert_frame_equal(ours, whole)


def test_what_is_kept_and_damaged_is_done_again(toy_cache, tmp_path, monkeypatch, capsys):
    interrupted(monkeypatch, toy_cache, tmp_path / "run")
    for path in (tmp_path / work.UNFINISHED).iterdir():
        path.write_bytes(path.read_bytes()[:-9])
    capsys.readouterr()
    train_request(request(), toy_cache, tmp_path / "run")
    told = capsys.readouterr().err
    assert told.count(": repeat ") == 4
    assert "2 finished runs in" in told


def test_a_different_run_in_the_folder_is_refused_before_anything_is_loaded(
    toy_cache, tmp_path, monkeypatch
):
    train_request(request(repeats=1), toy_cache, tmp_path / "run")
    monkeypatch.setattr(load, "load_domains", lambda *_: pytest.fail("was loaded"))
    with pytest.raises(InputError, match="different run"):
        train_request(request(repeats=2), toy_cache, tmp_path / "run")
