"""Model cards: what is said is so, and what a stranger wrote is text."""

import json
import shutil
from unittest.mock import ANY

import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError
from ser.export.card import card, write_card
from ser.export.markdown import code, text, yaml
from ser.train.runs.report import bounds, decimal
from ser.train.runs.run import Run

from .attacks.test_runs import seal

markdown_it = pytest.importorskip("markdown_it", reason="rich brings it")
pyyaml = pytest.importorskip("yaml", reason="the extra `hf` is not installed")

TERMS = {"mfcc": "GPL-3.0", "ge2e": "for research only"}


def test_a_card_of_several_corpora(toy_runs):
    run = Run.open(toy_runs / "runs" / "ours")
    made = card(run, TERMS, Cache(toy_runs / "cache"))
    head = pyyaml.safe_load(made.split("---\n", 2)[1])
    domains = run.metrics["domains"]
    assert head["license"] == "other"
    assert head["language"] == ["de", "it"]
    assert head["metrics"] == ["recall", "accuracy"]
    (model,) = head["model-index"]
    assert model["name"] == "ours"
    for result, (corpus, domain) in zip(model["results"], domains.items(), strict=True):
        assert result["dataset"] == {"type": corpus, "name": corpus, "split": "test"}
        assert [each["value"] for each in result["metrics"]] == [
            domain["ua"]["mean"],
            domain["wa"]["mean"],
        ]
        rates = (domain["ua"], domain["wa"])
        shown = " | ".join(f"{decimal(rate['mean'])} | {bounds(rate)}" for rate in rates)
        assert f"| `{corpus}` | {domain['n_test']} | {shown} | .333 | ECE " in made
    assert "| `toy`, a corpus of one's own | `de` | 60 | 6 | `neutral`, `happiness`" in made
    assert "method `ours`, preset `strong` with " in made
    assert "`train.epochs=3`" in made
    assert "Speakers overlap between training and test" in made
    assert "Not for commercial use, by the terms of the feature ge2e." in made
    assert "GPL, by the feature mfcc: " in made
    assert "Terms that are not known here: the corpus toy and the corpus tic." in made
    assert "ser predict --run RUN --corpus toy a.wav" in made
    assert f"- torch {run.about['torch']}\n" in made


def test_other_runs(toy_runs):
    held_out = card(Run.open(toy_runs / "runs" / "held_out"), {})
    assert "No speaker is in two parts" in held_out
    assert "| `de` | 60 | not known here |" in held_out
    assert "ser predict --run RUN a.wav" in held_out
    svm = card(Run.open(toy_runs / "runs" / "svm"), {})
    assert "A simple classifier" in svm
    assert "Not: no model of it is kept." in svm
    assert "ser predict" not in svm


HOSTILE = "<script>x</script> [a](http://evil) | ![i](x) `c` www.evil.org\n\n# T\n---\n\u202e&lt;"


def test_what_a_stranger_wrote_is_text(toy_runs, tmp_path):
    folder = shutil.copytree(toy_runs / "runs" / "single", tmp_path / "[run](http:evil)<b>")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    metrics["domains"]["toy"]["notes"] = [HOSTILE]
    metrics["changes"], metrics["protocol"], metrics["preset"] = [HOSTILE], HOSTILE, HOSTILE
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    about = json.loads((folder / "versions.json").read_text("utf-8"))
    about |= {"python": HOSTILE, "processors": [HOSTILE]}
    (folder / "versions.json").write_text(json.dumps(about), encoding="utf-8")
    seal(folder)
    made = card(Run.open(folder), {"mfcc": HOSTILE})
    nothing, head, body = made.split("---\n", 2)
    assert nothing == ""
    values = pyyaml.safe_load(head)
    assert set(values) == {
        "license",
        "license_name",
        "language",
        "tags",
        "metrics",
        "model-index",
    }
    assert values["model-index"] == [{"name": "[run](http:evil)<b>", "results": ANY}]
    tokens = markdown_it.MarkdownIt("commonmark").enable("table").parse(body)
    kinds = {each.type for token in tokens for each in (token, *(token.children or ()))}
    assert not kinds & {"link_open", "image", "html_block", "html_inline", "hr"}
    assert sum(token.type == "heading_open" for token in tokens) == 9
    rows = body.count("\n| ")
    assert rows == sum(token.type == "tr_open" for token in tokens) + 4  # and rules of four tables
    assert "\u202e" not in made


def test_text_and_code():
    assert text("a_b *c* 1. d\n| e") == r"a\_b \*c\* 1. d \| e"
    assert text("http://x www.x") == r"http\://x www\.x"
    assert code("a`b|c\n") == "`a'b\N{BROKEN BAR}c`"
    assert code("") == "-"


def test_yaml_is_read_as_it_was_meant():
    value = {
        "a": ["no", "1", 'q"\\', "\u00e9\U0001f600", "x: y # z"],
        "b": [{"c": 1.5, "d": [{"e": None}]}, {"c": 2, "d": []}],
    }
    assert pyyaml.safe_load("\n".join(yaml(value))) == value


def test_the_command_writes_both(toy_runs, tmp_path):
    run, path = toy_runs / "runs" / "single", tmp_path / "card.md"
    command = ["export", str(run), "--card", str(path), "--cache", str(toy_runs / "cache")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{path}: the model card\n"
    assert path.read_text("utf-8").startswith("---\n")
    assert [each.name for each in tmp_path.iterdir()] == ["card.md"]
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    onnx = tmp_path / "a.onnx"
    done = CliRunner().invoke(main, [*command, "--onnx", str(onnx), "--json", "--overwrite"])
    assert json.loads(done.stdout)["card"] == str(path)
    assert json.loads(done.stdout)["onnx"]["corpus"] == "toy"
    assert onnx.is_file()


def test_a_name_that_is_no_card(toy_runs, tmp_path):
    with pytest.raises(InputError, match=r"expected a name that ends in \.md"):
        write_card(Run.open(toy_runs / "runs" / "svm"), tmp_path / "card.txt", {})
