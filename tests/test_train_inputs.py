import dataclasses

import pytest
import torch

from ser.errors import InputError, MissingFeaturesError
from ser.train.config import load_config
from ser.train.runs.inputs import load_inputs
from ser.train.runs.request import Request
from ser.train.runs.train import train

from .conftest import make_toy_cache, toy_key


@pytest.fixture
def run(toy_cache, tmp_path):
    config = load_config("strong", ["train.epochs=1", "train.members=1"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=1)
    return train(request, toy_cache, tmp_path / "run").folder


def test_all_utterances_come_as_the_model_reads_them(run, toy_cache):
    domain = load_inputs(run, toy_cache, "toy")
    assert domain.ids == tuple(toy_cache.manifest("toy").ids)
    assert {name: packed.dim for name, packed in domain.features.items()} == {
        "mfcc": 9 * 5,  # functionals
        "ge2e": 7,
    }


def test_another_version_of_a_feature_beside_it_is_not_mistaken_for_it(run, toy_cache):
    manifest = toy_cache.manifest("toy")
    before = load_inputs(run, toy_cache, "toy")
    with toy_cache.write(
        dataclasses.replace(toy_key("ge2e", "vector", 7), version=2), manifest
    ) as out:
        for id in manifest.ids:
            out.add(id, torch.full((7,), 9.0).numpy())
    after = load_inputs(run, toy_cache, "toy")
    assert torch.equal(before.features["ge2e"].frames, after.features["ge2e"].frames)


def test_a_cache_without_that_version_is_refused(run, tmp_path):
    other = make_toy_cache(tmp_path / "other")
    for folder in (other.folder / "features").glob("ge2e-*"):
        folder.rename(tmp_path / "gone")
    with pytest.raises(MissingFeaturesError, match=r"ge2e: the cache .* does not have the version"):
        load_inputs(run, other, "toy")


def test_a_baseline_has_no_models(toy_cache, tmp_path):
    request = Request("baseline", ["toy"], ["mfcc"], load_config(), repeats=1)
    folder = train(request, toy_cache, tmp_path / "svm").folder
    with pytest.raises(InputError, match="not the folder of a run with models"):
        load_inputs(folder, toy_cache, "toy")
