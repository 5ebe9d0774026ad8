"""Descriptions of models and settings as strangers may write them into a run folder."""

import json

import torch

from ser.errors import InputError
from ser.train.config import Config, load_config
from ser.train.methods import METHODS
from ser.train.model import build, make_spec
from ser.train.network.spec import FeatureShape, ModelSpec

from .test_runs import mutate, plain


class Corpus:
    """What a spec is made of."""

    labels = ("neutral", "anger")

    def __init__(self, corpus, language):
        self.corpus, self.language = corpus, language


SHAPES = {
    "mfcc": FeatureShape("mfcc", "mfcc", 24, True),
    "ge2e": FeatureShape("ge2e", "ge2e", 256, False),
}
CORPORA = [Corpus("aa", "en"), Corpus("bb", "pt-br")]


def test_specs_of_strangers(attack, outcome):
    config = load_config("strong")
    for case in attack(300):
        method = METHODS[case.choice(["base", "sb", "ours"])]
        spec = make_spec(method, list(SHAPES), SHAPES, CORPORA, config)
        values = json.loads(json.dumps(spec.to_dict()))
        for _ in range(case.choice([1, 1, 2])):
            values = mutate(case, values)
        try:
            found = ModelSpec.from_dict(values, "config.json")
            json.dumps(found.to_dict(), allow_nan=False)
            with torch.device("meta"):
                model = build(found)
        except InputError as error:
            plain(error)
            outcome("refused")
        else:
            names = list(model.state_dict())
            assert all(name.isascii() and name.isprintable() for name in names)
            assert all(len(model.columns(each.corpus)) for each in found.domains)
            outcome("built")


def test_configs_of_strangers(attack, outcome):
    whole = json.dumps(load_config("strong", ["train.lr=0.01", "gate.selector=byol"]).to_dict())
    for case in attack(600):
        try:
            found = Config.from_dict(mutate(case, json.loads(whole)), "config.json")
        except InputError as error:
            plain(error, "config.json")
            outcome("refused")
        else:
            assert found.label.isprintable()
            assert Config.from_dict(found.to_dict()) == found
            outcome("read")
