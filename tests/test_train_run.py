from dataclasses import replace

import pytest
import torch

from ser.errors import InputError, MissingFeaturesError
from ser.train.config import load_config
from ser.train.methods import METHODS
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import train_request

from .conftest import make_toy_cache, toy_key


@pytest.fixture
def run(toy_cache, tmp_path):
    config = load_config("strong", ["train.epochs=1", "train.members=1"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=1)
    return train_request(request, toy_cache, tmp_path / "run").folder


def test_all_utterances_come_as_the_model_reads_them(run, toy_cache):
    domain = Run.open(run).domain("toy", toy_cache)
    assert domain.ids == tuple(toy_cache.manifest("toy").ids)
    assert {name: packed.dim for name, packed in domain.features.items()} == {
        "mfcc": 9 * 5,  # functionals
        "ge2e": 7,
    }


def test_another_version_of_a_feature_beside_it_is_not_mistaken_for_it(run, toy_cache):
    manifest = toy_cache.manifest("toy")
    before = Run.open(run).domain("toy", toy_cache)
    with toy_cache.write(replace(toy_key("ge2e", "vector", 7), version=2), manifest) as out:
        for id in manifest.ids:
            out.add(id, torch.full((7,), 9.0).numpy())
    after = Run.open(run).domain("toy", toy_cache)
    assert torch.equal(before.features["ge2e"].frames, after.features["ge2e"].frames)


def test_a_cache_without_that_version_is_refused(run, tmp_path):
    other = make_toy_cache(tmp_path / "other")
    for folder in (other.folder / "features").glob("ge2e-*"):
        folder.rename(tmp_path / "gone")
    with pytest.raises(MissingFeaturesError, match=r"ge2e: the cache .* does not have the version"):
        Run.open(run).domain("toy", other)


def test_a_baseline_has_no_models(toy_cache, tmp_path):
    request = Request("baseline", ["toy"], ["mfcc"], load_config(), repeats=1)
    folder = train_request(request, toy_cache, tmp_path / "svm").folder
    run = Run.open(folder)
    assert run.config.spec() is None
    with pytest.raises(InputError, match="a baseline, whose models are not kept"):
        run.domain("toy", toy_cache)
    with pytest.raises(InputError, match="a baseline, whose models are not kept"):
        run.ensemble()


def test_a_method_that_is_not_known_here(toy_cache, tmp_path, monkeypatch):
    config = load_config("strong", ["train.epochs=1", "train.members=1"])
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(METHODS, "_items", dict(METHODS._items))
        mine = replace(METHODS["single"], name="mine")
        request = Request("single", ["toy"], ["mfcc"], config, method=mine, repeats=1)
        run = train_request(request, toy_cache, tmp_path / "mine")
        assert run.ensemble().spec.method == "mine"
    again = Run.open(tmp_path / "mine")
    assert set(again.predictions["truth"]) == set(run.predictions["truth"])
    with pytest.raises(InputError, match=r"'mine' is not known here; .* METHODS\.add\(name"):
        again.ensemble()
