import numpy as np
import torch

from ser.manifests import Split
from ser.train.data import Domain
from ser.train.runs.jobs import Prediction
from ser.train.runs.report import comparison_table, confusion_table, decimal, describe_run
from ser.train.runs.results import domain_metrics

DOMAIN = Domain(
    corpus="toy",
    language="de",
    labels=("neutral", "anger"),
    ids=tuple("abcdefgh"),
    speakers=("s", "s", "t", "t", "s", "s", "t", "t"),
    targets=torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]),
    features={},
)


def outcome(seed, fold, test, predicted, protocol="paper"):
    split = Split(protocol, seed, fold, ("x",) * 8, (), tuple(test))
    return Prediction(split, np.array(predicted))


def test_folds_are_pooled_before_ua_is_taken():
    # Fold 0 has one anger, missed; fold 1 has three, found: pooled recall 3/4, mean of folds 1/2.
    folds = [
        outcome(0, 1, "dfgh", [0, 1, 1, 1], "speaker"),
        outcome(0, 0, "abce", [0, 0, 1, 0], "speaker"),
    ]
    found = domain_metrics(DOMAIN, folds, 0)
    assert found["recall"] == {"neutral": 0.75, "anger": 0.75}
    assert found["ua"]["values"] == [0.75]
    assert found["n_test"] == 8
    assert found["confusion"] == [[3, 1], [1, 3]]
    # Without s: c missed, d g h right, UA 3/4. Without t: a b f right, e missed, UA 3/4.
    assert found["interval"] == "speakers"
    assert found["ua"]["ci95"] is None  # both alike: that says nothing of how speakers differ
    assert found["notes"] == ["No interval of UA and WA: all speakers came out alike."]


def test_repeats_are_averaged_and_their_confusions_added():
    repeats = [outcome(0, 0, "ae", [0, 1]), outcome(1, 0, "be", [1, 1])]
    found = domain_metrics(DOMAIN, repeats, 2)
    assert found["ua"]["values"] == [1.0, 0.5]
    assert found["interval"] == "repeats"
    assert found["speakers_shared"] == 2
    assert found["ua"]["mean"] == 0.75
    assert found["confusion"] == [[1, 1], [0, 2]]
    assert found["recall"] == {"neutral": 0.5, "anger": 1.0}


def test_a_class_that_is_never_tested_has_no_recall():
    found = domain_metrics(DOMAIN, [outcome(0, 0, "ab", [0, 1]), outcome(1, 0, "cd", [0, 0])], 0)
    assert found["recall"]["anger"] is None
    assert "-" in confusion_table(found)[2]


def metrics(protocol="paper", shared=3):
    repeats = [outcome(0, 0, "ae", [0, 1]), outcome(1, 0, "be", [1, 1])]
    return {
        "setting": "single",
        "method": "single",
        "preset": "strong",
        "changes": [],
        "features": ["mfcc", "ge2e"],
        "protocol": protocol,
        "repeats": 2,
        "namesakes": [],
        "domains": {"toy": domain_metrics(DOMAIN, repeats, shared)},
    }


def test_overlapping_speakers_are_said_where_the_numbers_are():
    for text in (describe_run, lambda run: comparison_table([run])):
        assert "Speakers overlap" in text(metrics())
        assert "not known" in text(metrics(shared=None))
        assert "no test speaker happens" in text(metrics(shared=0))
        assert "unknown speakers" in text(metrics("speaker"))
        assert "Student's t" in text(metrics())


def test_a_doubt_about_who_the_speakers_are_is_said():
    assert "same people" not in describe_run(metrics("speaker"))
    text = describe_run(metrics("speaker") | {"namesakes": ["01", "02"]})
    assert "both have speakers named 01, 02: if they are the same people" in text


def test_the_table_has_a_line_per_run():
    lines = comparison_table([metrics(), metrics("speaker")]).splitlines()
    assert "single (strong)" in lines[1]
    assert "mfcc+ge2e" in lines[1]
    assert ".750" in lines[1]
    assert "speaker" in lines[2]
    assert lines[3] == ""


def test_rates_are_printed_as_rates():
    assert (decimal(0.8714), decimal(1.0), decimal(0.0)) == (".871", "1.000", ".000")
