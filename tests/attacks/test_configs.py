"""Settings as strangers may write them into a run folder."""

import json

from ser.errors import InputError
from ser.train.config import Config, load_config

from .test_runs import mutate, plain


def test_configs_of_strangers(attack, outcome):
    whole = json.dumps(load_config("strong", ["train.lr=0.01", "gate.selector=byol"]).to_dict())
    for case in attack(600):
        try:
            found = Config.from_dict(mutate(case, json.loads(whole)), "config.json")
        except InputError as error:
            plain(error, "config.json")
            outcome("refused")
        else:
            assert all(map(str.isprintable, (found.preset, *found.changes)))
            assert Config.from_dict(found.to_dict()) == found
            outcome("read")
