"""Run folders that strangers made, as a model card: it is made, or it is said what is wrong."""

import json
import shutil

import pytest

from ser.errors import InputError
from ser.export.card import card
from ser.train.runs.run import Run

from .test_runs import UNSEALED, json_text, seal

FILES = ("metrics.json", "config.json", "versions.json")


@pytest.fixture(scope="module")
def sealed(toy_runs, tmp_path_factory):
    return shutil.copytree(toy_runs / "runs" / "ours", tmp_path_factory.mktemp("sealed") / "run")


def test_cards_of_forged_runs(attack, outcome, sealed):
    """Forged files whose hashes are right."""
    whole = {name: (sealed / name).read_bytes() for name in FILES}
    for case in attack(100):
        for name, data in whole.items():
            (sealed / name).write_bytes(data)
        name = case.choice(FILES)
        (sealed / name).write_bytes(json_text(case, json.loads(whole[name])))
        try:
            seal(sealed)
        except UNSEALED:
            outcome("cannot be sealed")
            continue
        try:
            made = card(Run.open(sealed), {})
            assert made.startswith("---\nlicense: ")
            assert "\u202e" not in made
            outcome("made")
        except InputError as refused:
            assert str(sealed) in str(refused)  # noqa: PT017
            outcome("refused")
