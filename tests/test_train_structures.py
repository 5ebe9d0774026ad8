"""What searches kept: by hand, and of runs."""

import json

import pytest

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.runs.curves import Curves, Trained
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.structures import describe_structures, jaccard, kept, structures
from ser.train.runs.train import train_request

SEARCH = [
    *("train.epochs=5", "train.members=2", "search.gate_lr=1", "search.target=0.5"),
    *("search.warmup=0.2", "search.freeze=0.2", "search.held_out=0.2"),
]


def test_the_jaccard_index_by_hand():
    one, other = kept([[1, 0.2], [0, 1]]), kept([[1, 0], [0.5, 0]])
    assert one == {(0, 0), (0, 1), (1, 1)}
    assert jaccard(one, other) == 1 / 4
    assert jaccard(one, one) == 1
    assert jaccard(one, kept([[0, 0], [1, 0]])) == 0
    assert jaccard(kept([[0]]), kept([[0]])) == 1


class Said:
    """A run that says this of its networks: by repeat, the connections of every member."""

    folder = "a-run"

    def __init__(self, *repeats):
        self.history = [
            Curves(number, 0, list(map(trained, members))) for number, members in enumerate(repeats)
        ]


def trained(connections):
    said = {"connections": connections, "undecided": 0.25, "parameters": 10}
    return Trained(0, 1, [0.0], {"toy": [0.5]}, {"toy": said})


def test_structures_by_hand():
    one = Said([[[1, 0], [0, 1]], [[1, 0], [0, 0]]], [[[1, 1], [1, 1]]])
    other = Said([[[0, 0], [0, 1]]])
    (found,) = structures([one, other]).values()
    assert (found.count, found.of) == (2, 4)  # 2, 1, 4, 1
    assert (found.undecided, found.parameters) == (0.25, 10)
    assert found.agreement == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)  # of the first repeat alone
    assert found.shares == [[0.75, 0.25], [0.25, 0.75]]
    assert structures([other])["toy"].agreement is None


def test_what_a_search_kept_is_told(two_corpora, tmp_path):
    config = load_config("strong", SEARCH)
    request = Request("multidomain", ["toy", "tic"], ["mfcc", "ge2e"], config, "ours", repeats=1)
    run = train_request(request, two_corpora, tmp_path / "run")
    said = json.loads((tmp_path / "run" / "structure.json").read_text())["toy"]
    assert said["open"] == 2
    assert said["parameters"] == 2 * 256**2
    found = structures([run])["toy"]
    assert (found.count, found.of, found.parameters) == (2, 4, 2 * 256**2)
    assert found.agreement in (0, 1 / 3, 1)
    assert found.shares == said["connections"]  # halves: exact
    text = describe_structures(run)
    assert text.startswith("toy: 2 of 4 connections kept, 131,072 parameters, ")
    assert "agreement of networks" in text.splitlines()[1]


def test_nothing_is_told_where_nothing_was_frozen(toy_runs):
    for name in ("svm", "single", "ours"):
        assert describe_structures(Run.open(toy_runs / "runs" / name)) == ""


def test_a_run_that_does_not_say_it_is_refused():
    strange = Said([[[1, "x"]]])
    with pytest.raises(InputError, match="a-run: its history does not say what was kept"):
        structures([strange])
