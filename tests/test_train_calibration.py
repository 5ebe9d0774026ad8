import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from ser.errors import InputError
from ser.train.calibration import fit_temperature
from ser.train.config import load_config
from ser.train.evaluate import probabilities
from ser.train.metrics import calibration_error_by_chance, expected_calibration_error
from ser.train.network.ensemble import Ensemble, tempered
from ser.train.runs import pool, work
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.run_config import FORMAT
from ser.train.runs.train import train_request

from .conftest import make_toy_cache, toy_manifest

QUICK = ["train.epochs=2", "train.members=2"]


def request(*changes, **others):
    values = {
        "setting": "single",
        "corpora": ["toy"],
        "features": ["mfcc", "ge2e"],
        "config": load_config("strong", [*QUICK, *changes]),
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **others})


def scaled(probabilities, temperature):
    """p^(1/T), normalised: the definition."""
    powers = np.asarray(probabilities, dtype=float) ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def likelihood_loss(probabilities, truth):
    return -sum(math.log(row[label]) for row, label in zip(probabilities, truth, strict=True))


def logits_and_truth():
    """Up to 40 utterances of 2 to 5 emotions."""
    return st.tuples(st.integers(1, 40), st.integers(2, 5)).flatmap(
        lambda shape: st.tuples(
            arrays(float, shape, elements=st.floats(-8, 8)),
            arrays(int, shape[0], elements=st.integers(0, shape[1] - 1)),
        )
    )


@given(logits_and_truth(), st.floats(0.1, 100))
def test_a_temperature_is_the_power_and_changes_no_label(drawn, temperature):
    before = torch.tensor(drawn[0]).softmax(-1)
    after = tempered(before, temperature)
    np.testing.assert_allclose(after, scaled(before.numpy(), temperature), rtol=1e-9)
    chosen = before.argmax(-1, keepdim=True)
    highest = after.max(-1, keepdim=True).values  # two alike may differ in the last digit
    torch.testing.assert_close(after.gather(1, chosen), highest, rtol=1e-12, atol=0)
    torch.testing.assert_close(tempered(before, 1.0), before, rtol=1e-12, atol=0)


@given(logits_and_truth())
def test_what_it_was_fitted_on_becomes_no_less_likely(drawn):
    before = torch.tensor(drawn[0]).softmax(-1).numpy()
    temperature = fit_temperature(before, drawn[1])
    after = scaled(before, temperature)
    assert 0.1 <= temperature <= 100
    assert likelihood_loss(after, drawn[1]) <= likelihood_loss(before, drawn[1]) * (1 + 1e-12)


def test_the_temperature_of_many_utterances_is_that_of_their_rate():
    # (.8, .2) each, right in 7 of 10: p^(1/T) is .7 of it where 4^(1/T) = 7/3.
    said, truth = np.tile([0.8, 0.2], (100_000, 1)), np.arange(100_000) % 10 >= 7
    assert fit_temperature(said, truth.astype(int)) == pytest.approx(
        math.log(4) / math.log(7 / 3), rel=3e-4
    )


def test_a_few_utterances_change_little():
    # One that is right: without the prior the colder the better. With t = log T, the slope
    # t / .25 of the prior is that of -log p, log(4) e^-t (1 - p).
    (t,) = np.log([fit_temperature(np.array([[0.8, 0.2]]), np.array([0]))])
    p = 1 / (1 + 4 ** -math.exp(-t))
    assert t / 0.25 == pytest.approx(-math.log(4) * math.exp(-t) * (1 - p), rel=1e-5)
    assert 0.9 < math.exp(t) < 1


def test_certainty_that_is_wrong_has_a_temperature_all_the_same():
    said = np.array([[1.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    assert 1 < fit_temperature(said, np.array([0, 1])) <= 100
    after = tempered(torch.tensor(said), 2.0)
    assert torch.isfinite(after).all()


class Says(nn.Module):
    """A stand-in for a network, of one opinion."""

    spec = None

    def __init__(self, *said):
        super().__init__()
        self.said = torch.tensor([said])

    def probabilities(self, batch, corpus):
        return self.said


def test_the_mean_of_the_members_is_calibrated_and_of_calibrated_folds_the_mean_is_taken():
    first = Ensemble([Says(0.8, 0.2), Says(0.4, 0.6)], {"toy": 2.0})
    assert first({}, "toy").tolist()[0] == pytest.approx(scaled([0.6, 0.4], 2))
    assert first({}, "tic").tolist()[0] == pytest.approx([0.6, 0.4])
    both = Ensemble([first, Ensemble([Says(0.1, 0.9)], {"toy": 0.5})])
    expected = (scaled([0.6, 0.4], 2) + scaled([0.1, 0.9], 0.5)) / 2
    assert both({}, "toy").tolist()[0] == pytest.approx(expected)


def test_the_calibration_error_worked_out_by_hand():
    # Bins of a fifteenth: .6 is the upper end of one, .61 and .65 are in the next, 1 in the last.
    confidence = np.array([0.6, 0.61, 0.65, 1.0])
    right = np.array([True, False, True, True])
    expected = (0.4 + abs(1 - 1.26) + 0) / 4
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)
    # A bin's error has the variance of its answers: .24, .2379 + .2275, 0.
    expected = math.sqrt(2 / math.pi) * (math.sqrt(0.24) + math.sqrt(0.4654)) / 4
    assert calibration_error_by_chance(confidence) == pytest.approx(expected)
    assert expected_calibration_error(np.zeros(2), np.array([False, True])) == 0.5


def test_the_error_by_chance_is_what_right_probabilities_show():
    draw = np.random.default_rng(0)
    confidence = draw.uniform(0.3, 1, 107)
    found = [
        expected_calibration_error(confidence, draw.random(107) < confidence) for _ in range(2000)
    ]
    assert calibration_error_by_chance(confidence) == pytest.approx(np.mean(found), rel=0.05)


def test_a_calibrated_run_has_the_labels_of_one_that_is_not(toy_cache, tmp_path):
    with_it = train_request(request(), toy_cache, tmp_path / "with")
    without = train_request(request("train.calibrate=false"), toy_cache, tmp_path / "without")
    assert sorted(with_it.sums.keys() - without.sums.keys()) == ["calibration.json"]
    place = list(without.predictions)[:6]
    pd.testing.assert_frame_equal(with_it.predictions[place], without.predictions[place])
    assert list(with_it.predictions) == [*place, "uncalibrated", *list(without.predictions)[6:]]
    before, after = without.predictions, with_it.predictions
    columns = [name for name in before if name.startswith("p_")]
    temperature = [with_it.temperatures[repeat, 0]["toy"] for repeat in after["repeat"]]
    expected = scaled(before[columns], np.array(temperature)[:, None])
    np.testing.assert_allclose(after[columns], expected, atol=2e-5)  # of six decimals
    highest = before[columns].max(axis=1).rename("uncalibrated")
    pd.testing.assert_series_equal(after["uncalibrated"], highest)
    ours, theirs = (run.metrics["domains"]["toy"] for run in (with_it, without))
    assert {name: ours[name] for name in ours if name != "ece"} == {
        name: theirs[name] for name in theirs if name != "ece"
    }
    right = (after["truth"] == after["predicted"]).to_numpy()
    assert ours["ece"]["before"] == theirs["ece"]["before"]
    assert theirs["ece"]["after"] is None
    confidence = after[columns].max(axis=1).to_numpy()
    assert ours["ece"]["after"] == expected_calibration_error(confidence, right)
    assert ours["ece"]["by_chance"] == calibration_error_by_chance(confidence)


def test_a_baseline_and_the_preset_paper_are_not_calibrated(toy_cache, tmp_path):
    svm = train_request(request(setting="baseline"), toy_cache, tmp_path / "svm")
    assert svm.metrics["domains"]["toy"]["ece"] is None
    assert svm.temperatures == {}
    assert not load_config("paper").train.calibrate


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """A run on `toy` of five folds and `tic` of four; its cache."""
    folder = tmp_path_factory.mktemp("uneven")
    make_toy_cache(folder / "cache")
    few = toy_manifest(utterances=48, speakers=4, language="it", corpus="tic")
    cache = make_toy_cache(folder / "cache", few)
    several = request(
        setting="multidomain", corpora=["toy", "tic"], protocol="speaker", repeats=1, method="ours"
    )
    return train_request(several, cache, folder / "run"), cache


def test_every_corpus_of_a_fold_has_a_temperature(uneven):
    run, _ = uneven
    assert list(run.temperatures) == [(0, fold) for fold in range(5)]
    assert all(set(of_fold) == {"toy", "tic"} for of_fold in run.temperatures.values())
    assert len({t for of_fold in run.temperatures.values() for t in of_fold.values()}) == 10


def test_the_calibrated_models_are_rebuilt_from_the_run_folder_alone(uneven):
    run, cache = uneven
    for corpus in ("toy", "tic"):
        domain = run.domain(corpus, cache)
        columns = [f"p_{label}" for label in domain.labels]
        tested = run.predictions[run.predictions["corpus"] == corpus]
        for fold, rows in tested.groupby("fold"):
            said = probabilities(run.ensemble(0, fold), domain, domain.rows(rows["id"].tolist()))
            np.testing.assert_allclose(said, rows[columns], atol=1e-6)
        some = domain.rows(tested["id"].tolist()[:7])
        folds = [probabilities(run.ensemble(0, fold), domain, some) for fold in range(5)]
        whole = run.ensemble()
        torch.testing.assert_close(probabilities(whole, domain, some), sum(folds) / 5)
        assert len(whole.recognisers) == 10


def test_a_training_that_was_interrupted_gives_the_same_bytes(toy_cache, tmp_path, monkeypatch):
    whole = train_request(request(), toy_cache, tmp_path / "whole" / "run")
    run_jobs = pool.run_jobs

    def one(*arguments):
        yield next(run_jobs(*arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool, "run_jobs", one)
        with pytest.raises(KeyboardInterrupt):
            train_request(request(), toy_cache, tmp_path / "run")
    assert list((tmp_path / work.UNFINISHED).iterdir())
    run = train_request(request(), toy_cache, tmp_path / "run")
    for name in ("calibration.json", "predictions.csv", "model.safetensors", "config.json"):
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert run.metrics["domains"] == whole.metrics["domains"]


def test_a_run_whose_calibration_is_gone_is_not_the_run(toy_cache, tmp_path):
    run = train_request(request(), toy_cache, tmp_path / "run")
    (run.folder / "calibration.json").unlink()
    assert not Run.open(run.folder).is_of(run.config)
    with pytest.raises(InputError, match=r"calibration\.json: No such file"):
        Run.open(run.folder).ensemble()
    assert json.loads((run.folder / "config.json").read_text())["format"] == FORMAT
