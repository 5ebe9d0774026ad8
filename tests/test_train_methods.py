"""Methods by name, and one of one's own."""

from functools import partial

import pytest
import torch
from torch import nn

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.evaluate import probabilities, structure
from ser.train.loop import DomainSplit, fit
from ser.train.methods import DEFAULT_METHODS, METHODS, Method, methods_of
from ser.train.model import build, make_spec
from ser.train.network.fusion import Fusion

from .conftest import shapes


class Weighted(Fusion):
    """A learned weight for every feature, times `scale`."""

    size = 256

    def __init__(self, spec, scale=1.0):
        super().__init__(spec)
        self.free = nn.Parameter(torch.ones(len(spec.features)))
        self.slow = nn.Parameter(torch.tensor(scale))

    def forward(self, encoded, language, selector):
        return self.slow * torch.einsum("m,bmd->bd", self.free, encoded)

    def parameter_groups(self):
        return [(1.0, [self.free]), (0.5, [self.slow])]

    def penalty(self, language):
        return 0.1 * self.free.abs().sum()

    def structure(self, language):
        return {"weights": self.free.tolist()}


class Spread(nn.Module):
    """A loss that keeps representations small."""

    def __init__(self, settings):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x, targets, classes):
        return (x.square().mean() + self.bias).square()


MINE = Method("mine", partial(Weighted, scale=2.0), auxiliary=Spread)


@pytest.fixture
def domain(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    return load_domain(toy_cache, manifest, keys)


def spec_of(domain, method):
    return make_spec(method, ["mfcc", "ge2e"], shapes(domain), [domain], load_config())


def test_every_setting_has_its_methods():
    assert methods_of("single")[0] == "single"
    assert methods_of("baseline")[:2] == ["baseline", "svm"]
    assert methods_of("multidomain") == ["base", "sb", "omoe", "mmoe", "ours"]
    assert all(METHODS[name].setting == setting for setting, name in DEFAULT_METHODS.items())


def test_a_method_of_one_s_own_trains(domain):
    config = load_config("paper", ["train.epochs=2", "train.alpha=1"])
    rows = torch.arange(60)
    split = DomainSplit(domain, rows[:45], rows[45:])
    fitted = fit([split], spec_of(domain, MINE), config, 0, method=MINE)
    assert fitted.losses[1] < fitted.losses[0]
    assert fitted.model.fusion.slow != 2, "it was trained"
    assert structure(fitted.model, domain, rows) == {"weights": fitted.model.fusion.free.tolist()}
    assert set(fitted.model.parameter_groups()) == {1.0, 0.5}
    assert not [name for name in fitted.model.state_dict() if "bias" in name and "fusion" in name]
    again = build(fitted.model.spec, MINE)
    again.load_state_dict(fitted.model.state_dict())
    found, expected = (probabilities(model, domain, rows) for model in (again, fitted.model))
    assert torch.equal(found, expected)


def test_a_method_that_is_not_known_is_an_error(domain):
    spec = spec_of(domain, MINE)
    with pytest.raises(InputError, match="unknown method 'mine'"):
        build(spec)
    with pytest.raises(InputError, match="does not go with its features and selector"):
        build(spec, METHODS["ours"])


def test_a_parameter_that_no_group_has_is_an_error(domain):
    class Careless(Weighted):
        def parameter_groups(self):
            return [(1.0, [self.free])]

    with pytest.raises(ValueError, match="a parameter is left over"):
        build(spec_of(domain, MINE), Method("mine", Careless)).parameter_groups()
