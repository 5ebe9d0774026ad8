import dataclasses
import json

import pandas as pd
import pytest
import torch

from ser.cache import store_manifest
from ser.errors import InputError, LeakError, MissingFeaturesError
from ser.manifests import Manifest
from ser.train.config import load_config
from ser.train.evaluate import probabilities, representations
from ser.train.loop import DomainSplit, fit
from ser.train.methods import METHODS, methods_of
from ser.train.runs.experiment import resolve
from ser.train.runs.load import encode, load_domains
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import train_request

from .conftest import make_toy_cache, toy_key, toy_manifest

QUICK = load_config("paper", ["train.epochs=2"])


def request(**changes):
    values = {
        "setting": "multidomain",
        "corpora": ["toy", "tic"],
        "features": ["mfcc", "ge2e"],
        "config": QUICK,
        "method": "ours",
        "repeats": 2,
        "workers": 1,
    }
    return Request(**{**values, **changes})


@pytest.mark.parametrize("method", methods_of("multidomain"))
def test_every_method_trains_and_reports_each_corpus(two_corpora, tmp_path, method):
    run = train_request(request(method=method), two_corpora, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics == run.metrics
    assert (metrics["setting"], metrics["method"]) == ("multidomain", method)
    assert {c: d["language"] for c, d in metrics["domains"].items()} == {"toy": "de", "tic": "it"}
    assert {c: d["n_test"] for c, d in metrics["domains"].items()} == {"toy": 12, "tic": 9}
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert table.groupby(["corpus", "repeat"]).size().to_dict() == {
        ("tic", 0): 9,
        ("tic", 1): 9,
        ("toy", 0): 12,
        ("toy", 1): 12,
    }
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"split-toy.csv", "split-tic.csv"} <= files
    assert ("structure.json" in files) == METHODS[method].gated


def test_gates_and_connections_are_in_the_run_folder(two_corpora, tmp_path):
    train_request(request(), two_corpora, tmp_path / "run")
    structure = json.loads((tmp_path / "run" / "structure.json").read_text())
    for corpus in ("toy", "tic"):
        gate = structure[corpus]["gate"]
        assert list(gate) == ["mfcc", "ge2e"]
        assert sum(gate.values()) == pytest.approx(1, abs=1e-5)
        connections = torch.tensor(structure[corpus]["connections"])
        assert connections.shape == (2, 2)
        assert ((connections >= 0) & (connections <= 1)).all()
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    own = [each["members"][0]["structure"]["toy"]["gate"]["mfcc"] for each in history]
    assert structure["toy"]["gate"]["mfcc"] == pytest.approx(sum(own) / 2)


@pytest.mark.parametrize(
    ("preset", "method"), [("paper", "ours"), ("strong", "ours"), ("strong", "base")]
)
def test_models_are_rebuilt_from_the_run_folder_alone(two_corpora, tmp_path, preset, method):
    config = load_config(preset, ["train.epochs=2", "train.members=2"])
    train_request(request(config=config, method=method), two_corpora, tmp_path / "run")
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    for corpus in ("toy", "tic"):
        run = Run.open(tmp_path / "run")
        domain = run.domain(corpus, two_corpora)
        tested = table[(table["corpus"] == corpus) & (table["repeat"] == 1)]
        rows = domain.rows(tested["id"].tolist())
        ensemble = run.ensemble(repeat=1)
        mean = probabilities(ensemble, domain, rows)
        predicted = [domain.labels[label] for label in mean.argmax(-1)]
        assert predicted == tested["predicted"].tolist()
        columns = [f"p_{label}" for label in domain.labels]
        torch.testing.assert_close(
            mean, torch.tensor(tested[columns].to_numpy()).float(), atol=1e-6, rtol=0
        )
        assert representations(next(iter(ensemble.members)), domain, rows).shape == (len(rows), 256)


def test_workers_and_a_second_time_change_no_number(two_corpora, tmp_path):
    for name, workers in (("one", 1), ("two", 2)):
        train_request(request(workers=workers), two_corpora, tmp_path / name)
    for file in ("predictions.csv", "model.safetensors", "structure.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_split_can_be_used_again(two_corpora, tmp_path):
    first = train_request(request(), two_corpora, tmp_path / "one")
    again = train_request(request(splits=tmp_path / "one"), two_corpora, tmp_path / "two")
    assert first.metrics["domains"] == again.metrics["domains"]
    alone = Request("single", ["toy"], ["mfcc", "ge2e"], QUICK, splits=tmp_path / "one", workers=1)
    train_request(alone, two_corpora, tmp_path / "three")
    with pytest.raises(InputError, match="several corpora name the folder"):
        train_request(
            request(splits=tmp_path / "one" / "split-toy.csv"), two_corpora, tmp_path / "four"
        )
    with pytest.raises(InputError, match=r"has no split-toy\.csv"):
        train_request(request(splits=tmp_path), two_corpora, tmp_path / "four")


def test_speakers_can_be_held_out_of_all_corpora(two_corpora, tmp_path):
    run = train_request(request(protocol="speaker", repeats=1), two_corpora, tmp_path / "run")
    assert {c: d["n_test"] for c, d in run.metrics["domains"].items()} == {"toy": 60, "tic": 45}


def test_the_authors_split_is_70_10_20_and_says_so(two_corpora, tmp_path):
    experiment = resolve(request(protocol="authors"), two_corpora)
    split = experiment.splits["toy"][0]
    assert [len(part) for part in split.parts().values()] == [42, 6, 12]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "our"}, r"unknown method 'our' \(did you mean 'ours'\?\)"),
        ({"features": ["mfcc"]}, "at least two, not mfcc alone"),
        ({"features": ["mfcc"], "method": "mmoe"}, "at least two, not mfcc alone"),
        ({"corpora": ["toy"]}, "at least two corpora"),
        ({"corpora": ["toy", "toy"]}, "named twice"),
        ({"setting": "single", "method": ""}, "takes one corpus, not toy,tic"),
        ({"setting": "single", "corpora": ["toy"]}, "is for --setting multidomain"),
        ({"setting": "multi"}, r"did you mean 'multidomain'"),
        (
            {"config": load_config("paper", ["gate.selector=mfcc"])},
            r"gate\.selector=mfcc: is a sequence",
        ),
        (
            {
                "features": ["mfcc", "ge2e_mel"],
                "config": load_config("paper", ["train.finetune_ge2e=true"]),
            },
            "ge2e is not among the --features",
        ),
    ],
)
def test_wrong_use_is_told_clearly(two_corpora, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        train_request(request(**changes), two_corpora, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_features_and_selectors_that_are_not_cached_are_named(two_corpora, tmp_path):
    with pytest.raises(MissingFeaturesError, match="logmel of toy: not in the cache"):
        resolve(request(features=["mfcc", "logmel"]), two_corpora)
    byol = load_config("paper", ["gate.selector=byol"])
    with pytest.raises(MissingFeaturesError, match=r"the gates look at byol \(gate\.selector\)"):
        resolve(request(config=byol), two_corpora)
    assert resolve(request(config=byol, method="sb"), two_corpora).keys.keys() == {"mfcc", "ge2e"}
    with pytest.raises(MissingFeaturesError, match="no manifest of tac"):
        resolve(request(corpora=["toy", "tac"]), two_corpora)


def relabelled(corpus, language, emotions):
    """A manifest whose emotions are others than those of the toy corpora."""
    manifest = toy_manifest(language=language, corpus=corpus)
    table = manifest.table.copy()
    table["emotion"] = [emotions[number % len(emotions)] for number in range(len(table))]
    return type(manifest)(table)


def test_a_corpus_trained_on_audio_that_another_is_tested_on_is_refused(tmp_path):
    first = toy_manifest()
    second = toy_manifest(utterances=45, corpus="tic", language="it")
    copies = second.table.assign(audio_hash=first.table["audio_hash"][:45])
    for manifest in (first, Manifest(copies)):
        cache = make_toy_cache(tmp_path / "cache", manifest)
    with pytest.raises(LeakError, match=r"in \w+ \(u\d+ of t.*\) and \w+ \(u\d+ of t"):
        resolve(request(), cache)


def test_corpora_without_a_common_emotion_share_no_classifier(tmp_path):
    cache = make_toy_cache(tmp_path / "cache")
    manifest = relabelled("tac", "de", ["fear", "disgust"])
    store_manifest(cache, manifest, replace=True)
    for feature, kind, dim in (("mfcc", "sequence", 5), ("ge2e", "vector", 7)):
        with cache.write(toy_key(feature, kind, dim), manifest) as writer:
            for id in manifest.ids:
                shape = (3, dim) if kind == "sequence" else (dim,)
                writer.add(id, torch.ones(shape).numpy())
    both = ["toy", "tac"]
    for method in ("base", "ours"):
        with pytest.raises(InputError, match="label sets cannot be united"):
            resolve(request(corpora=both, method=method), cache)


def test_a_feature_of_another_version_is_refused(two_corpora):
    manifest = two_corpora.manifest("tic")
    two_corpora.remove("ge2e", "tic")
    key = dataclasses.replace(toy_key("ge2e", "vector", 7), version=2)
    with two_corpora.write(key, manifest) as writer:
        for id in manifest.ids:
            writer.add(id, torch.ones(7).numpy())
    with pytest.raises(InputError, match="ge2e of tic is another version than that of toy"):
        resolve(request(), two_corpora)


def test_only_what_helps_the_mean_of_all_corpora_is_kept(two_corpora):
    experiment = resolve(request(), two_corpora)
    domains = encode(load_domains(two_corpora, [experiment]), [experiment])
    splits = experiment.jobs[0].splits
    parts = [
        DomainSplit(domains[c], domains[c].rows(s.train), domains[c].rows(s.validation))
        for c, s in splits.items()
    ]
    config = load_config("paper", ["train.epochs=4"])
    fitted = fit(parts, experiment.record.spec(), config, seed=1)
    means = [sum(pair) / 2 for pair in zip(*fitted.validation.values(), strict=True)]
    assert fitted.epoch == 1 + means.index(max(means))
