"""Thousands of hostile samples of what is read of strangers; see `siege` and `targets`."""

import os

import pytest

from ser.train.runs.train import train_request

from ..conftest import make_toy_cache, toy_manifest
from ..drawn import cases
from .elsewhere import Elsewhere, Pages
from .siege import Target, besiege
from .targets import Keys, Manifests, Runs, Shards, WholeCache
from .test_runs import request

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks processes, and bounds them")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small run."""
    folder = tmp_path_factory.mktemp("run")
    cache = make_toy_cache(folder / "cache", toy_manifest())
    train_request(request(), cache, folder / "run")
    return folder / "run"


@pytest.fixture
def survives(tmp_path, outcome):
    """Have a target besieged, and count how its samples end."""

    def besieged(target: Target, count: int) -> None:
        ends = besiege(target, count, tmp_path)
        outcome("cases", count)
        for word, times in ends.items():
            outcome(word, times)

    return besieged


@cases(8000)
def test_keys(survives, count):
    survives(Keys(), count)


@cases(4500)
def test_shards(survives, count):
    survives(Shards(), count)


@cases(2500)
def test_manifests(survives, count):
    survives(Manifests(), count)


@cases(3000)
def test_runs(survives, run, count):
    survives(Runs(run), count)


@cases(400)
def test_whole_caches(survives, count):
    survives(WholeCache(), count)


@cases(600)
def test_places_that_lie(survives, count):
    survives(Elsewhere(), count)


@cases(1000)
def test_pages_that_list(survives, count):
    survives(Pages(), count)
