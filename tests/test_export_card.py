"""The model card: truthful numbers, a head that hubs read, and no markup of a stranger's."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ser.cli import main
from ser.export.card import _text, model_card
from ser.train.runs.report import bounds, decimal
from ser.train.runs.train import train

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
markdown = pytest.importorskip("markdown", reason="Python-Markdown is not installed")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    from .conftest import make_toy_cache

    folder = tmp_path_factory.mktemp("card")
    cache = make_toy_cache(folder / "cache")
    changes = ["train.epochs=2"]
    return train("single", "toy", repeats=2, changes=changes, cache=cache, out=folder / "run")


def test_its_numbers_are_those_of_the_run(network):
    card = model_card(network, {})
    domain = network.metrics["domains"]["toy"]
    row = next(line for line in card.splitlines() if line.startswith("| toy | 1"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == str(domain["n_test"])
    for place, rate in ((2, domain["ua"]), (4, domain["wa"])):
        assert cells[place : place + 2] == [decimal(rate["mean"]), bounds(rate)]
    assert cells[-1] == ".333"
    for label, recall in domain["recall"].items():
        assert f"{label} {decimal(recall)}" in card
    error = domain["ece"]
    assert f"{decimal(error['after'])}, {decimal(error['before'])} before calibration" in card
    assert "settings of a preset" in card


def test_a_hub_can_read_its_head(network):
    _, head, _ = model_card(network, {}).split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["language"] == ["de"]
    assert said["license"] == "other"
    assert "speech-emotion-recognition" in said["tags"]


def test_terms_are_passed_on(network):
    key = network.config.keys["ge2e"]
    card = model_card(network, {key.hash: "for research only", "mfcc": "GPL-3.0"})
    assert "Not for commercial use, by the terms of the feature ge2e." in card
    assert "GPL, by the feature mfcc" in card


def test_a_baseline_says_that_it_has_no_models(toy_cache, tmp_path):
    run = train("baseline", "toy", repeats=1, cache=toy_cache, out=tmp_path / "run")
    card = model_card(run, {})
    assert "its models were not" in card
    assert "ser predict" not in card
    assert "It gives no probabilities." in card


@given(st.text(min_size=1, max_size=40))
def test_text_is_no_markup(text):
    shown = markdown.markdown(f"a {_text(text)} b")
    assert set(shown.replace("<p>", "", 1).replace("</p>", "", 1)).isdisjoint("<>")


def test_the_command(network, tmp_path):
    runner = CliRunner()
    path = tmp_path / "CARD.md"
    result = runner.invoke(main, ["export", str(network.folder), "--card", str(path)])
    assert result.exit_code == 0, result.output
    assert path.read_text("utf-8").startswith("---\nlibrary_name: ser\n")
    for arguments, says in (([], "nothing to write"), (["--card", "x.txt"], "ends in .md")):
        result = runner.invoke(main, ["export", str(network.folder), *arguments])
        assert result.exit_code == 2
        assert says in result.stderr
