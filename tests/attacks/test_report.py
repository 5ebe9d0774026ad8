"""Run folders that strangers made, as a page: it is made, or it is said what is wrong with them."""

import json
import shutil

import pytest

from ser.errors import InputError
from ser.report.page import Asked, make_report, render
from ser.train.runs.run import Run
from ser.train.runs.survey import find_runs

from .test_runs import json_text, seal

FILES = ("metrics.json", "config.json", "history.json", "structure.json", "predictions.csv")


def table_text(case, text):
    """Predictions with a cell, a column or a row that is something else."""
    lines = text.splitlines()
    row = case.randrange(len(lines))
    cells = lines[row].split(",")
    place = case.randrange(len(cells))
    junk = ["", "nan", "inf", "-1", "2.5", "1e999", "<b>", "toy", '"', "\u202e", "x" * 5000]
    cells[place] = case.choice(junk)
    changed = [*lines[:row], ",".join(cells), *lines[row + 1 :]]
    return "\n".join(case.choice([changed, changed, lines[:row], lines[1:], []])) + "\n"


@pytest.fixture(scope="module")
def sealed(toy_runs, tmp_path_factory):
    return shutil.copytree(toy_runs / "runs" / "ours", tmp_path_factory.mktemp("sealed") / "run")


def test_pages_of_forged_runs(attack, outcome, sealed):
    """Forged files whose hashes are right."""
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    whole = {name: (sealed / name).read_bytes() for name in FILES}
    read = 0
    for case in attack(100):
        for name, data in whole.items():
            (sealed / name).write_bytes(data)
        name = case.choice(FILES)
        if name.endswith(".csv"):
            text = table_text(case, whole[name].decode())
            (sealed / name).write_text(text, encoding="utf-8")
        else:
            (sealed / name).write_bytes(json_text(case, json.loads(whole[name])))
        seal(sealed)
        try:
            found, problems = find_runs(sealed)
            assert len(found) + len(problems) == 1
            report = make_report([Run.open(sealed)], Asked())
            read += 1
            if read % 10 == 1:
                page = render(report)
                assert "<b>" not in page
                assert "\u202e" not in page
                outcome("drawn")
            outcome("read")
        except InputError as refused:
            assert str(sealed) in str(refused)  # noqa: PT017
            outcome("refused")
