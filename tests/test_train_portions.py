"""Portions of the jobs of a run or a table, done by processes that know nothing of each other."""

import random
import threading
from dataclasses import replace

import pytest

from ser.portion import Portion
from ser.progress import Progress
from ser.reproduce.run import PLANS, reproduce
from ser.tests.conftest import tree
from ser.tests.drawn import SEED
from ser.train.config import load_config
from ser.train.runs import work
from ser.train.runs.request import Request
from ser.train.runs.target import claimed
from ser.train.runs.train import train_portion, train_request


def request(**others):
    config = load_config("paper", ["train.epochs=2"])
    return replace(
        Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=4, workers=1), **others
    )


def numbers(folder):
    """The files of a run that hold its numbers."""
    return {
        name: (folder / name).read_bytes()
        for name in ("predictions.csv", "split.csv", "history.json", "model.safetensors")
        if (folder / name).exists()
    }


def shuffled(count, twice):
    draw = random.Random(SEED)
    order = [*range(1, count + 1)]
    order += draw.sample(order, twice)
    draw.shuffle(order)
    return [Portion(number, count) for number in order]


@pytest.mark.parametrize("setting", ["single", "baseline"])
def test_portions_in_any_order_give_the_run(toy_cache, tmp_path, setting, capsys):
    whole = train_request(request(setting=setting), toy_cache, tmp_path / "whole" / "run")
    capsys.readouterr()
    out = tmp_path / "run"
    runs = [
        train_portion(request(setting=setting), toy_cache, out, portion)
        for portion in shuffled(3, 2)
    ]
    assert capsys.readouterr().err.count(": repeat ") == 4
    assert runs[-1] is not None
    assert runs[0] is None
    assert numbers(out) == numbers(whole.folder)
    assert runs[-1].metrics["domains"] == whole.metrics["domains"]
    assert not (tmp_path / work.UNFINISHED).exists()


def test_every_portion_has_its_share(toy_cache, tmp_path, capsys):
    done = []
    for number in range(1, 6):
        train_portion(request(), toy_cache, tmp_path / "run", Portion(number, 5))
        done.append(capsys.readouterr().err.count(": repeat "))
    assert sorted(done) == [0, 1, 1, 1, 1]


def test_one_that_is_at_work_when_the_others_end_writes_the_run(toy_cache, tmp_path):
    """Two at once: whoever ends last has seen what the other finished."""
    start, runs = threading.Barrier(2), []

    def run(number):
        start.wait()
        runs.append(train_portion(request(), toy_cache, tmp_path / "run", Portion(number, 2)))

    threads = [threading.Thread(target=run, args=[number]) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(runs)
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_while_another_command_holds_the_folder_nothing_is_lost(toy_cache, tmp_path, capsys):
    out = tmp_path / "run"
    with claimed(out, print):
        for number in (1, 2):
            assert train_portion(request(), toy_cache, out, Portion(number, 2)) is None
        assert not out.exists()
    capsys.readouterr()
    assert train_portion(request(), toy_cache, out, Portion(1, 2)) is not None
    assert capsys.readouterr().err.count(": repeat ") == 0


def test_the_command_without_portions_writes_what_they_finished(toy_cache, tmp_path, capsys):
    train_portion(request(), toy_cache, tmp_path / "run", Portion(1, 2))
    capsys.readouterr()
    assert train_request(request(), toy_cache, tmp_path / "run").metrics["repeats"] == 4
    assert capsys.readouterr().err.count(": repeat ") == 2


@pytest.mark.long
def test_a_table_of_twenty_portions(two_corpora, tmp_path, capsys):
    config = load_config("paper", ["train.epochs=1"])
    common = Request("single", ["toy", "tic"], ["mfcc", "ge2e"], config, repeats=1, workers=1)

    def table(out, portion):
        return reproduce(PLANS["table3"], common, two_corpora, out, "ser", Progress(), portion)

    whole = table(tmp_path / "whole", Portion(1, 1))
    jobs = capsys.readouterr().err.count(": repeat ")
    made = [table(tmp_path / "parts", portion) for portion in shuffled(20, 2)]
    assert capsys.readouterr().err.count(": repeat ") == jobs > 5
    assert made[-1] is not None
    assert made[0] is None
    runs = {path.name: numbers(path) for path in (tmp_path / "whole" / "runs").iterdir()}
    assert {p.name: numbers(p) for p in (tmp_path / "parts" / "runs").iterdir()} == runs
    assert made[-1].markdown == whole.markdown
    assert "table3.md" in tree(tmp_path / "parts")
