import json
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError, LeakError
from ser.manifests import Manifest, Split
from ser.progress import Progress
from ser.reproduce.run import PLANS, reproduce
from ser.train.config import load_config
from ser.train.runs.experiment import resolve
from ser.train.runs.request import Request
from ser.train.runs.splits import check_folds, corpora_tested, heard_together, trained_together
from ser.train.runs.train import train_request

from .conftest import make_toy_cache, toy_manifest


def splits_of(corpus, seeds, folds):
    """Fold k tests utterance k and trains on the others."""
    names = [f"{corpus}{k}" for k in range(max(folds, 2))]
    return [
        Split("speaker", seed, k, tuple(n for n in names if n != names[k]), (), (names[k],))
        for seed in range(seeds)
        for k in range(folds)
    ]


@given(st.integers(1, 3), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_every_fold_is_tested_once_a_repeat_with_a_model_that_never_heard_it(seeds, folds):
    splits = {f"c{n}": splits_of(f"c{n}", seeds, count) for n, count in enumerate(folds)}
    jobs = trained_together(splits)
    assert len(jobs) == seeds * max(folds)
    tested = Counter()
    for job in jobs:
        assert set(job) == set(splits)
        for corpus in corpora_tested(job):
            assert not set(job[corpus].test) & set(job[corpus].train)
            tested.update((job[corpus].seed, id) for id in job[corpus].test)
    assert set(tested.values()) == {1}
    assert len(tested) == seeds * sum(folds)


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 3))
def test_corpora_of_as_many_folds_are_paired_in_order(seeds, folds, corpora):
    splits = {f"c{n}": splits_of(f"c{n}", seeds, folds) for n in range(corpora)}
    expected = [dict(zip(splits, each, strict=True)) for each in zip(*splits.values(), strict=True)]
    assert trained_together(splits) == expected
    assert heard_together(splits) == splits
    assert all(corpora_tested(job) == list(splits) for job in expected)


def test_a_test_part_that_a_job_does_not_test_is_not_heard_of():
    splits = {"a": splits_of("a", 1, 5), "b": splits_of("b", 1, 3)}
    heard = heard_together(splits)["b"]
    assert [(each.fold, each.test) for each in heard] == [
        (0, ("b0",)),
        (1, ("b1",)),
        (2, ("b2",)),
        (0, ()),
        (1, ()),
    ]


def test_other_repeats_or_unnumbered_folds_are_refused():
    with pytest.raises(InputError, match="use --protocol paper"):
        check_folds({"a": splits_of("a", 2, 3), "b": splits_of("b", 1, 3)}, made=True)
    from_one = [Split("speaker", 0, k + 1, (), (), ()) for k in range(3)]
    check_folds({"a": from_one, "b": from_one}, made=False)
    with pytest.raises(InputError, match="numbered from 0"):
        check_folds({"a": from_one, "b": splits_of("b", 1, 4)}, made=False)


@pytest.fixture
def uneven(tmp_path):
    """`toy` of six speakers (five folds), `tic` of four (four folds)."""
    make_toy_cache(tmp_path / "cache")
    few = toy_manifest(utterances=48, speakers=4, language="it", corpus="tic")
    return make_toy_cache(tmp_path / "cache", few)


def request(**changes):
    values = {
        "setting": "multidomain",
        "corpora": ["toy", "tic"],
        "features": ["mfcc", "ge2e"],
        "config": load_config("strong", ["train.epochs=2", "train.members=1"]),
        "method": "ours",
        "protocol": "speaker",
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **changes})


def test_four_folds_beside_five(uneven, tmp_path):
    run = train_request(request(), uneven, tmp_path / "run")
    assert {name: each["n_test"] for name, each in run.metrics["domains"].items()} == {
        "toy": 60,
        "tic": 48,
    }
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    counts = table.groupby(["corpus", "repeat"])["id"].agg(["size", "nunique"])
    assert counts["size"].to_dict() == counts["nunique"].to_dict()
    assert sorted(set(table[table["corpus"] == "tic"]["fold"])) == [0, 1, 2, 3]
    assert set(json.loads((tmp_path / "run" / "structure.json").read_text())) == {"toy", "tic"}
    assert run.ensemble(repeat=1, fold=4).spec.domain("tic")
    assert len(run.ensemble(repeat=1).members) == 5
    # The models of the first four folds are those of a corpus that has four folds too.
    single = train_request(
        request(setting="single", corpora=["tic"], method=""), uneven, tmp_path / "single"
    )
    alone = pd.read_csv(tmp_path / "single" / "predictions.csv")
    joint = table[table["corpus"] == "tic"]
    key = ["repeat", "fold", "id", "truth"]
    assert sorted(map(tuple, joint[key].values)) == sorted(map(tuple, alone[key].values))
    assert single.metrics["domains"]["tic"]["n_test"] == 48


def test_their_split_files_serve_another_run(uneven, tmp_path):
    first = train_request(request(method="sb"), uneven, tmp_path / "first")
    second = train_request(request(method="sb", splits=first.folder), uneven, tmp_path / "second")
    assert first.metrics["domains"] == second.metrics["domains"]


def test_a_table_pairs_their_rows(uneven, tmp_path):
    common = request(setting="single", method="", protocol="speaker", repeats=1)
    table3 = PLANS["table3"]
    found = reproduce(table3, common, uneven, tmp_path / "out", "ser reproduce", Progress())
    means = [test for test in found.values["tests"] if test["over"] == "mean"]
    assert {test["units"] for test in means} == {10}


def test_audio_that_a_job_trains_on_and_tests_is_still_a_leak(tmp_path):
    cache = make_toy_cache(tmp_path / "cache")
    table = toy_manifest(utterances=48, speakers=4, language="it", corpus="tic").table.copy()
    table["audio_hash"] = list(cache.manifest("toy").table["audio_hash"])[: len(table)]
    make_toy_cache(tmp_path / "cache", Manifest(table))
    with pytest.raises(LeakError, match="recordings are in one part of one corpus"):
        resolve(request(), cache)
