"""Training by a label map: what is learned, recorded and found again; the cache stays as it is."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError
from ser.export import graph
from ser.manifests import LabelMap, make_splits, write_splits
from ser.train.config import load_config
from ser.train.runs.experiment import resolve
from ser.train.runs.pairs import compare_runs
from ser.train.runs.report import decimal
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import default_out
from ser.train.runs.train import train as train_in_python

from .conftest import make_toy_cache, toy_manifest

MERGED = {"happiness": "aroused", "anger": "aroused"}
LESS = {"happiness": ""}


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A cache of `toy`: 72 utterances of six speakers, of three emotions as often each."""
    return make_toy_cache(tmp_path_factory.mktemp("map") / "cache", toy_manifest(72), noise=4.0)


def request(meanings, **changes):
    values = {"setting": "single", "corpora": ["toy"], "features": ["ge2e"], "repeats": 1}
    config = load_config("paper", ["train.epochs=1"])
    label_map = LabelMap(meanings) if meanings else None
    return Request(**{**values, "config": config, "workers": 1, "label_map": label_map, **changes})


def train(cache: Cache, folder, label_map, *options):
    command = ["train", "--setting", "single", "--corpus", "toy", "--features", "ge2e", "-q"]
    command += ["--repeats", "1", "--set", "train.epochs=1", "--workers", "1"]
    command += ["--cache", str(cache.folder), "--out", str(folder), "--map", str(label_map)]
    return CliRunner().invoke(main, [*command, *options])


def test_a_run_by_a_map(cached, tmp_path):
    file = tmp_path / "arousal.csv"
    file.write_text("from,to\nhappiness,aroused\nanger,aroused\n")
    before = (cached.folder / "manifests" / "toy.csv").read_bytes()
    done = train(cached, tmp_path / "run", file, "--protocol", "speaker")
    assert done.exit_code == 0, done.output
    assert f"Labels by the map {file}: happiness as aroused (24), anger as aroused (24)." in (
        done.output
    )
    run = Run.open(tmp_path / "run")
    assert run.config.label_map == MERGED
    assert run.config.corpora["toy"].labels == ("neutral", "aroused")
    assert set(run.predictions["truth"]) == {"neutral", "aroused"}
    assert (cached.folder / "manifests" / "toy.csv").read_bytes() == before
    assert len(run.domain("toy", cached).ids) == 72
    assert len(compare_runs([run, run], cached)) == 1
    assert len([*graph.cached(run, "toy", 0, cached)]) == 72
    listed = CliRunner().invoke(main, ["runs", str(tmp_path)])
    ua = decimal(run.metrics["domains"]["toy"]["ua"]["mean"])
    assert f" {ua}* " in listed.stdout
    assert "* of other labels, by a map" in listed.stdout
    told = json.loads(CliRunner().invoke(main, ["runs", str(tmp_path), "--json"]).stdout)["runs"]
    assert told[0]["domains"]["toy"]["labels"] == ["neutral", "aroused"]
    assert any("Labels by the map" in note for note in told[0]["domains"]["toy"]["notes"])


def test_ready_maps_by_their_names(cached, tmp_path):
    done = train(cached, tmp_path / "run", "valence", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["domains"]["toy"]["labels"] == [
        "neutral",
        "negative",
        "positive",
    ]


def test_what_is_left_out_is_not_used(cached):
    experiment = resolve(request(LESS), cached)
    assert experiment.manifests["toy"].labels == ("neutral", "anger")
    assert experiment.record.corpora["toy"].utterances == 48
    assert experiment.relabelled == {
        "toy": "Labels by the map of one's own: left out happiness (24)."
    }
    assert experiment.record.used(cached.manifest("toy")).ids == experiment.manifests["toy"].ids


def test_splits_of_the_whole_corpus_serve(cached, tmp_path):
    whole = cached.manifest("toy")
    (split,) = make_splits(whole, "paper", 0)
    write_splits(tmp_path / "s.csv", whole, [split])
    experiment = resolve(request(LESS, splits=tmp_path / "s.csv"), cached)
    (used,) = experiment.splits["toy"]
    kept = {*experiment.manifests["toy"].ids}
    for part, ids in split.parts().items():
        assert used.parts()[part] == tuple(id for id in ids if id in kept)


def test_another_map_is_another_training(cached):
    plain, less = (resolve(request(meanings), cached) for meanings in ({}, LESS))
    assert plain.about(plain.jobs[0]) != less.about(less.jobs[0])
    assert plain.record != less.record


def test_the_folder_is_called_after_the_map():
    called = default_out(request({}, label_map=LabelMap.load("four"))).name
    assert called.startswith("toy-single-paper-paper-four-")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("happines,", "no corpus has the emotion 'happines' (did you mean 'happiness'?)"),
        ("*,", "maps to no label"),
        ("*,other", "leaves only 'other' of toy (neutral, happiness, anger)"),
    ],
)
def test_wrong_maps(cached, tmp_path, rows, message):
    (tmp_path / "map.csv").write_text(f"from,to\n{rows}\n")
    done = train(cached, tmp_path / "run", tmp_path / "map.csv")
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("label map") == 1
    assert not (tmp_path / "run").exists()


def test_a_map_that_changes_nothing_sets_no_number_apart(cached, tmp_path):
    (tmp_path / "map.csv").write_text("from,to\ncalm,neutral\n")
    done = train(cached, tmp_path / "run", tmp_path / "map.csv")
    assert f"The map {tmp_path / 'map.csv'} changes no label of toy." in done.output
    assert "*" not in CliRunner().invoke(main, ["runs", str(tmp_path)]).stdout


def test_splits_of_a_run_by_another_map(cached, tmp_path):
    (tmp_path / "less.csv").write_text("from,to\nhappiness,\n")
    assert train(cached, tmp_path / "run", tmp_path / "less.csv").exit_code == 0
    command = ["train", "--setting", "single", "--corpus", "toy", "--features", "ge2e", "-q"]
    command += ["--cache", str(cached.folder), "--split", str(tmp_path / "run")]
    told = CliRunner().invoke(main, command).stderr
    assert f"The labels of {tmp_path / 'run'} are by another label map: --split takes" in told


def test_what_was_trained_on_alone_has_its_labels_told(tmp_path):
    cache = make_toy_cache(tmp_path / "cache", toy_manifest(72), noise=4.0)
    other = make_toy_cache(cache.folder, toy_manifest(45, language="it", corpus="tic"))
    experiment = resolve(
        request(MERGED, corpora=["toy", "tic"], tested=["tic"], protocol="corpus"),
        other,
    )
    said = experiment._said(experiment.manifests["tic"])
    assert said[-1] == (
        "Labels by the map of one's own: happiness as aroused (24), anger as aroused (24). That is "
        "toy, trained on."
    )


def test_a_map_of_the_wrong_type_is_refused(cached):
    with pytest.raises(InputError, match="label_map: expected a name, a file or a mapping"):
        train_in_python("single", "toy", cache=cached, label_map=["four"])
    with pytest.raises(InputError, match=r"no label map 'x\.csv'"):
        train_in_python("single", "toy", cache=cached, label_map=Path("x.csv"))
