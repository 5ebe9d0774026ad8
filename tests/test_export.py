"""Heads as ONNX: they say what the networks say, however long an utterance is."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ser import extract_corpus, train
from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError, MissingPackageError, SerError
from ser.export import graph, head
from ser.export.graph import OUTPUT, input_names, open_session, probabilities, to_onnx
from ser.export.write import write_onnx
from ser.train.config import load_config
from ser.train.encoding import Encoding
from ser.train.functionals import functionals
from ser.train.methods import METHODS
from ser.train.model import build, make_spec
from ser.train.network.ensemble import Ensemble
from ser.train.runs.run import Run

from .conftest import make_toy_cache, toy_key, toy_manifest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

CORPORA = os.environ.get("SER_TEST_CORPORA")

KEYS = {
    "mfcc": toy_key("mfcc", "sequence", 5),
    "hf:a/b": toy_key("hf:a/b", "sequence", 4),
    "ge2e": toy_key("ge2e", "vector", 7),
}
KEYS["hf:a/b"] = replace(KEYS["hf:a/b"], dtype="float16")
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 60)


@given(st.integers(1, 40), st.integers(0, 99))
def test_functionals_of_one_sequence_are_those_of_training(frames, seed):
    x = torch.randn(frames, 3, generator=torch.Generator().manual_seed(seed)) + seed
    ours = torch.from_numpy(functionals(x.numpy()))
    torch.testing.assert_close(head.functionals(x), ours, rtol=1e-5, atol=2e-5)


def test_functionals_of_two_frames_by_hand():
    # Every frame three times: 0 0 0 6 6 6. One change, of 6, among five; the percentiles lie at
    # 0.5, 2.5 and 4.5; the thirds are 0 0, 0 6, 6 6.
    got = head.functionals(torch.tensor([[6.0], [0.0]]).flip(0))
    expected = torch.tensor([3, 3, 6 / 5**0.5, 0, 3, 6, 0, 3, 6])
    torch.testing.assert_close(got, expected)


def networks(method, preset, *changes, keys=KEYS):
    """Untrained networks for two corpora, whose inputs have statistics of their own."""
    settings = load_config(preset, changes)
    encoding = Encoding.of(settings)
    corpora = [
        SimpleNamespace(corpus="toy", language="de", labels=("neutral", "anger")),
        SimpleNamespace(corpus="tic", language="it", labels=("anger", "fear", "neutral")),
    ]
    corpora = corpora[1:] if METHODS[method].setting == "single" else corpora
    shapes = {name: encoding.shape(name, key) for name, key in keys.items()}
    spec = make_spec(METHODS[method], [*keys], shapes, corpora, settings)
    torch.manual_seed(1)
    members = [build(spec) for _ in range(2)]
    for standardise in (scale for member in members for scale in member.inputs):
        standardise.mean.normal_()
        standardise.std.uniform_(0.5, 2)
    ensemble = Ensemble(members, {"tic": 1.7}).eval()
    return ensemble, SimpleNamespace(keys=keys, encoding=encoding)


@pytest.mark.parametrize("preset", ["paper", "strong"])
@pytest.mark.parametrize("method", ["single", "base", "sb", "omoe", "mmoe", "ours"])
def test_onnx_says_what_the_networks_say(method, preset):
    ensemble, config = networks(method, preset)
    model = to_onnx(ensemble, config, "tic")
    session, names = open_session(model), input_names(config)
    assert {each.name: each.shape for each in session.get_inputs()} == {
        "mfcc": ["frames_mfcc", 5],
        "hf_a_b": ["frames_hf_a_b", 4],
        "ge2e": [7],
    }
    distinct = set()
    for utterance in graph.made_up(ensemble, config, "tic", LENGTHS):
        (said,) = session.run([OUTPUT], {names[name]: utterance[name] for name in names})
        assert said.shape == (3,)
        assert abs(said - probabilities(ensemble, config, "tic", utterance)).max() < 1e-5
        distinct.add(tuple(said.round(4)))
    assert len(distinct) == len(LENGTHS)  # it is no constant


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].system])
def test_so_it_does_of_published_systems(name):
    reads = METHODS[name].reads
    kind = "sequence" if reads.sequence else "vector"
    keys = {reads.feature: toy_key(reads.feature, kind, reads.dim or 129)}
    ensemble, config = networks(name, METHODS[name].preset, keys=keys)
    model = to_onnx(ensemble, config, "tic")
    made = graph.made_up(ensemble, config, "tic", () if name != "zhao-1d" else (128_001, 256_001))
    run = SimpleNamespace(config=config, folder="run")
    checked = graph.check(model, run, ensemble, "tic", made)
    assert checked.utterances >= 2
    assert checked.difference < 1e-5


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_so_it_does_of_long_utterances(preset):
    ensemble, config = networks("single", preset)
    model = to_onnx(ensemble, config, "tic")
    run = SimpleNamespace(config=config, folder="run")
    long = graph.made_up(ensemble, config, "tic", (10_000,))
    checked = graph.check(model, run, ensemble, "tic", long)
    assert checked.utterances == 1
    assert checked.difference < 1e-5


def test_a_temperature_comes_along():
    ensemble, config = networks("sb", "strong")
    (utterance,) = graph.made_up(ensemble, config, "tic", (9,))
    feed = {name: utterance[feature] for feature, name in input_names(config).items()}
    (warm,) = open_session(to_onnx(ensemble, config, "tic")).run([OUTPUT], feed)
    ensemble.temperatures = {}
    (plain,) = open_session(to_onnx(ensemble, config, "tic")).run([OUTPUT], feed)
    flat = plain ** (1 / 1.7)
    np.testing.assert_allclose(warm, flat / flat.sum(), rtol=1e-4)


def test_names_of_inputs_are_plain_and_differ():
    keys = dict.fromkeys(["hf:a/b", "hf:a-b", "probabilities", "ge2e"])
    names = input_names(SimpleNamespace(keys=keys))
    assert list(names.values()) == ["hf_a_b", "hf_a_b_1", "probabilities_2", "ge2e"]


def test_a_trained_run_and_what_is_beside_the_model(toy_runs, tmp_path):
    run, path = Run.open(toy_runs / "runs" / "ours"), tmp_path / "new" / "head.onnx"
    about = write_onnx(run, path, "tic", 1, Cache(toy_runs / "cache"))
    beside = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert beside == about
    assert sorted(each.name for each in path.parent.iterdir()) == ["head.json", "head.onnx"]
    assert beside["labels"] == list(run.spec.domain("tic").labels)
    assert beside["language"] == "it"
    assert beside["model"]["networks"] == 2
    checked = beside["model"]["checked"]
    assert checked["test"]["utterances"] == run.metrics["domains"]["tic"]["n_test"]
    assert max(each["difference"] for each in checked.values()) < 1e-5
    assert [each["shape"] for each in beside["inputs"]] == [["frames", 5], [7]]
    assert [each["hash"] for each in beside["inputs"]] == [k.hash for k in run.config.keys.values()]
    assert beside["run"]["tested"]["ua"] == run.metrics["domains"]["tic"]["ua"]
    # What a stranger does with the two files alone.
    session = open_session(path.read_bytes())
    random = np.random.default_rng(0)
    feed = {
        each["name"]: random.normal(
            size=[11 if size == "frames" else size for size in each["shape"]]
        ).astype(each["dtype"])
        for each in beside["inputs"]
    }
    (said,) = session.run([beside["output"]["name"]], feed)
    assert said.shape == tuple(beside["output"]["shape"])
    assert abs(said.sum() - 1) < 1e-5


def test_without_the_features_only_made_up_utterances_are_compared(toy_runs, tmp_path):
    run = Run.open(toy_runs / "runs" / "single")
    about = write_onnx(run, tmp_path / "a.onnx", cache=Cache(tmp_path / "empty"))
    test = about["model"]["checked"]["test"]
    assert test["utterances"] == 0
    assert "toy" in test["note"]
    other = make_toy_cache(tmp_path / "other", toy_manifest(utterances=12))
    test = write_onnx(run, tmp_path / "a.onnx", cache=other)["model"]["checked"]["test"]
    assert "has another toy" in test["note"]


def test_a_model_that_says_something_else_is_not_written(toy_runs, tmp_path, monkeypatch):
    run, path = Run.open(toy_runs / "runs" / "single"), tmp_path / "a.onnx"
    path.write_bytes(b"as it was")
    real = head.functionals
    monkeypatch.setattr(head, "functionals", lambda frames: 1.01 * real(frames))
    with pytest.raises(SerError, match=r"ONNX says something else .* nothing was written"):
        write_onnx(run, path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.onnx"]
    assert path.read_bytes() == b"as it was"


def test_what_cannot_be_written_as_onnx_is_told(toy_runs, tmp_path, monkeypatch):
    def odd(frames):
        return torch.linalg.svdvals(frames).sum() * real(frames)

    real = head.functionals
    monkeypatch.setattr(head, "functionals", odd)
    with pytest.raises(SerError, match=r"toy: its head cannot be written as ONNX: .*linalg_svd"):
        write_onnx(Run.open(toy_runs / "runs" / "single"), tmp_path / "a.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("svm", {}, "it is a baseline, whose models are not kept"),
        ("ours", {}, r"has several heads; --corpus says which: toy \(de\), tic \(it\)"),
        ("ours", {"corpus": "emodb"}, "was trained for toy, tic, not for emodb"),
        ("single", {"repeat": 9}, "holds no model of repeat 9"),
    ],
)
def test_what_there_is_no_head_for(name, options, said, toy_runs, tmp_path):
    with pytest.raises(InputError, match=said):
        write_onnx(Run.open(toy_runs / "runs" / name), tmp_path / "a.onnx", **options)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages_it_is_said_how_to_get_them(package, toy_runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=r"pip install .*\[onnx\]"):
        write_onnx(Run.open(toy_runs / "runs" / "single"), tmp_path / "a.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.long
@pytest.mark.skipif(not CORPORA, reason="SER_TEST_CORPORA names no folder of real corpora")
def test_the_test_part_of_emodb(tmp_path):
    """What `ser train` wrote of utterances, ONNX says of their features."""
    cache = Cache(tmp_path / "cache")
    extract_corpus("emodb", Path(CORPORA, "emodb"), "mfcc", cache)
    for preset, epochs in (("strong", 4), ("paper", 1)):
        run = train(
            *("single", "emodb"), features="mfcc", cache=cache, out=tmp_path / preset,
            preset=preset, changes=[f"train.epochs={epochs}"], repeats=1,
        )  # fmt: skip
        path = tmp_path / f"{preset}.onnx"
        about = write_onnx(run, path, cache=cache)
        assert about["model"]["checked"]["test"]["utterances"] == 107
        session, table = open_session(path.read_bytes()), run.predictions
        told = table[[f"p_{label}" for label in about["labels"]]].to_numpy()
        utterances = graph.cached(run, "emodb", 0, cache)
        for utterance, expected in zip(utterances, told, strict=True):
            (said,) = session.run([OUTPUT], utterance)
            np.testing.assert_allclose(said, expected, atol=1e-4)


def test_ge2e_that_was_trained_on_is_told(toy_runs, tmp_path, monkeypatch):
    run = Run.open(toy_runs / "runs" / "single")
    tuned = replace(run.spec, finetune_ge2e=True)
    monkeypatch.setattr(Run, "spec", property(lambda _: tuned))
    with pytest.raises(InputError, match=r"its GE2E was trained on .* cannot be exported"):
        write_onnx(run, tmp_path / "a.onnx")


def test_the_command(toy_runs, tmp_path):
    run, path = str(toy_runs / "runs" / "single"), tmp_path / "a.onnx"
    done = CliRunner().invoke(main, ["export", run, "--onnx", str(path)])
    assert done.exit_code == 0, done.output
    assert f"{path}: 2 networks of toy, opset 17" in done.stdout
    assert "in: mfcc (frames x 5), ge2e (7); out: neutral, happiness, anger" in done.stdout
    assert "not checked on test utterances: " in done.stderr
    again = ["export", run, "--onnx", str(path), "--json", "--cache", str(toy_runs / "cache")]
    done = CliRunner().invoke(main, again)
    assert done.exit_code == 2
    assert f"--onnx {path}: is there and would be replaced" in done.stderr
    done = CliRunner().invoke(main, [*again, "--overwrite"])
    assert json.loads(done.stdout)["onnx"]["corpus"] == "toy"
    assert done.stderr == ""
    done = CliRunner().invoke(main, ["export", run])
    assert done.exit_code == 2
    assert "nothing to write" in done.stderr
    done = CliRunner().invoke(main, ["export", run, "--onnx", str(tmp_path / "a.txt")])
    assert done.exit_code == 2
    assert "a name that ends in .onnx" in done.stderr


def test_nothing_is_replaced_and_nothing_put_into_a_run(toy_runs, tmp_path):
    run = toy_runs / "runs" / "single"
    (tmp_path / "mine.json").write_text("mine")
    (tmp_path / "CARD.md").write_text("mine")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    for option, path, says in (
        ("--onnx", tmp_path / "mine.onnx", "mine.json: is there and would be replaced"),
        ("--card", tmp_path / "CARD.md", "CARD.md: is there and would be replaced"),
        ("--onnx", run / "config.onnx", "which is a run and holds nothing else"),
        ("--card", run / "cards" / "CARD.md", "which is a run and holds nothing else"),
        ("--card", tmp_path / "mine.json" / "CARD.md", "cannot be written"),
    ):
        done = CliRunner().invoke(main, ["export", str(run), option, str(path)])
        assert done.exit_code == (1 if "cannot" in says else 2), done.output
        assert says in done.stderr
        assert done.stdout == ""
    assert (tmp_path / "mine.json").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CARD.md", "mine.json"]
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    card = ["export", str(run), "--card", str(tmp_path / "CARD.md"), "--overwrite"]
    assert CliRunner().invoke(main, card).exit_code == 0
    assert (tmp_path / "CARD.md").read_text(encoding="utf-8") != "mine"
