"""Whole corpora trained on, and others tested: leave-one-corpus-out."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser.cache import Cache, store_manifest
from ser.cli import main
from ser.errors import InputError, LeakError
from ser.manifests import Manifest, check_leaks, split_of_whole
from ser.report.page import Asked, make_report, sentence
from ser.report.subject import subjects
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.encoding import Encoding
from ser.train.evaluate import answers_of_heads
from ser.train.methods import METHODS
from ser.train.model import build, make_spec
from ser.train.network.ensemble import Ensemble
from ser.train.network.spec import DomainShape
from ser.train.runs.experiment import resolve
from ser.train.runs.pairs import compare_runs
from ser.train.runs.request import Request, check_request
from ser.train.runs.run import Run
from ser.train.runs.train import default_out, train
from ser.train.vectors import Vectors, united

from .conftest import make_toy_cache, shapes, toy_manifest

QUICK = ["train.epochs=2", "train.members=2"]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Corpora `toy` (de), `tic` (it) and `tac` (fr, of whose 45 utterances 5 are of disgust)."""
    folder = tmp_path_factory.mktemp("three") / "cache"
    make_toy_cache(folder, noise=2.0)
    make_toy_cache(folder, toy_manifest(45, language="it", corpus="tic"), noise=2.0)
    tac = toy_manifest(45, language="fr", corpus="tac").table.copy()
    cache = make_toy_cache(folder, Manifest(tac), noise=2.0)
    # What is told of the features stays, what is said of the emotion does not.
    tac.loc[tac.index[::9], "emotion"] = "disgust"
    store_manifest(cache, Manifest(tac), replace=True)
    return cache


def ask(cache, *options, code=0):
    command = ["train", "--features", "mfcc,ge2e", "--workers", "1", "-q"]
    command += ["--cache", str(cache.folder), *options]
    for change in QUICK:
        command += ["--set", change]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def run(three, tmp_path_factory):
    """What was trained on `toy` and `tic` and tested on `tac`, and what was printed of it."""
    out = tmp_path_factory.mktemp("run") / "run"
    text = ask(three, "--train-on", "toy,tic", "--test-on", "tac", "--out", str(out))
    return Run.open(out), text


def test_it_says_what_was_trained_on_and_which_emotions_are_told(run):
    _, text = run
    assert "tac (fr): base (strong with train.epochs=2, train.members=2) of toy + tic" in text
    assert "Trained on toy (de; 60 utterances: neutral, happiness, anger) and tic (it; 45" in text
    assert "Told are the emotions in common: neutral, happiness, anger." in text
    assert "protocol corpus, 1 repeat, 40 test utterances each" in text
    assert "5 utterances were left out, as no corpus that was trained on has their" in text
    assert "Nothing of this corpus was trained on" in text
    assert "jackknife over speakers" in text


def test_the_run_folder_has_it(run):
    made, _ = run
    assert made.metrics["method"] == "base"
    assert list(made.metrics["domains"]) == ["tac"]
    assert made.metrics["trained"]["tic"] == {
        "language": "it",
        "labels": ["neutral", "happiness", "anger"],
        "utterances": 45,
    }
    assert list(made.config.corpora) == ["toy", "tic"]
    assert list(made.config.tested) == ["tac"]
    assert len(made.config.tested["tac"].skipped) == 5
    assert set(made.predictions["corpus"]) == {"tac"}
    assert {corpus: sorted(set(of["part"])) for corpus, of in made.splits.items()} == {
        "toy": ["train", "validation"],
        "tic": ["train", "validation"],
        "tac": ["test"],
    }
    assert [domain.corpus for domain in made.spec.domains] == ["toy", "tic"]
    made.verify()


def test_its_page_says_what_was_trained_and_what_tested(run, three):
    made, _ = run
    report = make_report([made], Asked(cache=three))
    assert sentence(report.shown[0]).startswith(
        "One model for 2 corpora by the method base: toy, tic, tested on tac; features"
    )
    (drawn,) = [section for section in report.sections if section.id == "tsne"]
    assert [*drawn.notes] == ["Not drawn for tac: it was not trained on."]


def test_the_same_again_is_not_trained_again(run, three):
    made, text = run
    folder = str(made.folder)
    before = (made.folder / "versions.json").read_bytes()
    assert ask(three, "--train-on", "toy,tic", "--test-on", "tac", "--out", folder) == text
    assert (made.folder / "versions.json").read_bytes() == before


def test_its_predictions_are_those_of_its_models(run, three):
    """Of the run folder's networks, calibrated, heard by the shared tower."""
    made, _ = run
    ensemble = made.ensemble()
    manifest = three.manifest("tac").select(made.predictions["id"])
    domain = load_domain(three, manifest, made.config.keys).encoded(made.config.encoding)
    rows = domain.rows(list(made.predictions["id"]))
    temperatures = made.temperatures[0, 0]
    said = answers_of_heads(ensemble, domain, rows, temperatures).numpy()
    columns = [f"p_{label}" for label in domain.labels]
    np.testing.assert_allclose(made.predictions[columns].to_numpy(), said, atol=2e-6)


def test_runs_on_the_same_corpus_are_compared_whatever_they_were_trained_on(run, three, tmp_path):
    made, _ = run
    alone = train(
        "single",
        "toy",
        tested="tac",
        cache=three,
        changes=QUICK,
        out=tmp_path / "alone",
        workers=1,
    )
    assert alone.config.method == "single"
    (pair,) = compare_runs([made, alone], three)
    assert (pair.over, list(pair.corpora), pair.problems) == ("speakers", ["tac"], [])
    assert pair.corpora["tac"].units == 6
    assert [each.corpora for each in subjects([made, alone])] == [["tac"], ["tac"]]


def test_every_method_tests_another_corpus(three, tmp_path):
    made = train(
        "multidomain",
        "toy,tic",
        tested="tac",
        method="mmoe",
        cache=three,
        changes=QUICK,
        out=tmp_path / "run",
        repeats=2,
        workers=1,
    )
    assert len(made.predictions) == 80
    columns = ["p_neutral", "p_happiness", "p_anger"]
    np.testing.assert_allclose(made.predictions[columns].sum(axis=1), 1, atol=1e-5)


def test_heads_by_hand(three):
    """The mean over heads of softmax over the tower, restricted to the labels in common."""
    torch.manual_seed(0)
    manifest = three.manifest("toy")
    domain = load_domain(three, manifest, {k.feature: k for k in three.keys()})  # noqa: SIM118
    config = load_config("strong", QUICK)
    domain = domain.encoded(Encoding.of(config))
    heads = [
        DomainShape("one", "de", ("neutral", "happiness", "fear"), ""),
        DomainShape("two", "it", ("neutral", "happiness", "anger"), ""),
        DomainShape("mute", "fr", ("anger", "fear", "disgust"), ""),
    ]
    spec = make_spec(METHODS["sb"], list(domain.features), shapes(domain), heads, config)
    models = [build(spec).eval() for _ in range(2)]
    rows = torch.arange(7)
    temperatures = {"one": 2.0, "two": 0.5, "mute": 1.0}
    found = answers_of_heads(Ensemble(models), domain, rows, temperatures).numpy()
    expected = np.zeros((7, 3))
    with torch.inference_mode():
        batch = domain.batch(rows)
        for head, known in (("one", [0, 1]), ("two", [0, 1, 2])):
            p = np.zeros((7, 3))
            for model in models:
                logits = model(batch, head).double().numpy()
                p += np.exp(logits) / np.exp(logits).sum(1, keepdims=True) / 2
            p = p ** (1 / temperatures[head])
            # Of `one`, fear is not asked for; of `two`, all three are.
            p = p[:, : len(known)]
            expected[:, known] += p / p.sum(1, keepdims=True) / 2
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert domain.labels == ("neutral", "happiness", "anger")


def test_corpora_as_one_by_hand():
    one = Vectors(
        "one",
        ("neutral", "fear", "anger"),
        ("a", "b", "c"),
        ("s", "", "s"),
        np.array([2, 1, 0]),
        {"x": np.array([[1.0], [2.0], [3.0]])},
    )
    other = Vectors("other", ("anger",), ("a",), ("s",), np.array([0]), {"x": np.array([[4.0]])})
    both = united({"one": one, "other": other}, ("anger", "neutral"))
    assert both.ids == ("one/a", "one/c", "other/a")
    assert both.speakers == ("one/s", "one/s", "other/s")
    assert both.targets.tolist() == [0, 1, 0]
    assert both.features["x"].tolist() == [[1.0], [3.0], [4.0]]
    (blank,) = united({"one": one}, ("fear",)).speakers
    assert blank == ""


def test_the_baseline_takes_what_is_trained_on_as_one_corpus(three, tmp_path):
    made = train("baseline", "toy,tic", tested="tac", cache=three, out=tmp_path / "run", repeats=1)
    assert list(made.metrics["domains"]) == ["tac"]
    assert len(made.predictions) == 40
    assert list(made.choices[0, 0]) == ["tac"]
    # By scikit-learn alone, on what is read, with what was chosen before.
    svm = train(
        "baseline",
        "toy,tic",
        tested="tac",
        method="svm",
        features="ge2e",
        cache=three,
        out=tmp_path / "svm",
    )
    parts = {c: of.set_index("id")["part"] for c, of in svm.splits.items()}
    frames, truth = [], []
    for corpus in ("toy", "tic"):
        ids = parts[corpus].index[parts[corpus] == "train"]
        manifest = three.manifest(corpus).select(ids)
        frames.append(three.read(svm.config.keys["ge2e"], manifest).frames.astype(float))
        truth += list(manifest.table["emotion"])
    model = make_pipeline(StandardScaler(), SVC(kernel="rbf", C=10.0, gamma="scale"))
    model.fit(np.concatenate(frames), truth)
    tested = three.manifest("tac").select(svm.predictions["id"])
    heard = three.read(svm.config.keys["ge2e"], tested).frames.astype(float)
    expected = dict(zip(tested.ids, model.predict(heard), strict=True))
    assert dict(zip(svm.predictions["id"], svm.predictions["predicted"], strict=True)) == expected


def test_a_whole_corpus_has_speakers_apart_for_validation():
    made = toy_manifest(60, speakers=6)
    split = split_of_whole(made, 0, tested=False)
    check_leaks(made, split)
    speaker = dict(zip(made.ids, made.table["speaker"], strict=True))
    people = [{speaker[id] for id in ids} for ids in (split.train, split.validation)]
    assert not set.intersection(*people)
    assert sorted(split.train + split.validation) == list(made.ids)
    unknown = Manifest(made.table.assign(speaker=""))
    parts = split_of_whole(unknown, 0, tested=False)
    assert [len(ids) for ids in parts.parts().values()] == [48, 12, 0]
    assert split_of_whole(made, 0, tested=True).test == made.ids


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--train-on", "toy"], "--train-on and --test-on: expected both"),
        (["--train-on", "toy", "--test-on", "tac", "--corpus", "tic"], "and no --corpus"),
        (["--train-on", "toy,tac", "--test-on", "tac"], "a corpus is named twice"),
        (["--train-on", "toy", "--test-on", "tac", "--protocol", "speaker"], "it is corpus"),
        (["--train-on", "toy", "--test-on", "tac", "--folds", "4"], "corpus has none to choose"),
        (["--train-on", "toy", "--test-on", "tac", "--setting", "multidomain"], "at least two"),
        (["--corpus", "toy"], "--setting: expected single, baseline or multidomain"),
        (["--setting", "single"], "--corpus: expected a corpus"),
        (["--setting", "single", "--corpus", "toy", "--protocol", "corpus"], "--train-on A,B"),
    ],
)
def test_what_is_refused(three, options, text):
    assert text in ask(three, *options, code=2)


def test_its_split_is_of_no_other_run(run, three):
    splits = run[0].folder
    for corpus in ("toy", "tic"):
        config = load_config("strong", QUICK)
        asked = Request("single", [corpus], ["ge2e"], config, splits=splits)
        with pytest.raises(InputError, match="is of whole corpora, which are named with"):
            resolve(asked, three)


def test_corpora_with_no_emotions_in_common(three):
    config = load_config("strong", QUICK)
    asked = Request("single", ["toy", "tac"], ["ge2e"], config, protocol="corpus", tested=["tac"])
    check_request(asked)
    folder = three.folder.parent / "other"
    shutil.copytree(three.folder, folder)
    other = Cache(folder)
    table = three.manifest("tac").table.replace({"emotion": {"happiness": "awe", "neutral": "awe"}})
    store_manifest(other, Manifest(table), replace=True)
    with pytest.raises(InputError, match="fewer than 2 in common"):
        resolve(asked, other)


def test_a_recording_that_was_trained_on_is_not_tested(tmp_path):
    cache = make_toy_cache(tmp_path / "cache")
    table = toy_manifest(30, language="it", corpus="tic").table.copy()
    table["audio_hash"] = list(cache.manifest("toy").table["audio_hash"])[: len(table)]
    make_toy_cache(tmp_path / "cache", Manifest(table))
    config = load_config("strong", QUICK)
    asked = Request("single", ["toy", "tic"], ["ge2e"], config, protocol="corpus", tested=["tic"])
    with pytest.raises(LeakError, match="recordings are in one part of one corpus"):
        resolve(asked, cache)


def test_the_folder_is_named_after_both():
    config = load_config("strong", [])
    asked = Request("single", ["toy", "tic"], ["ge2e"], config, protocol="corpus", tested=["tic"])
    assert default_out(asked).name.startswith("toy-to-tic-single-strong-corpus-")


def test_json_has_the_label_sets(run):
    made, _ = run
    metrics = json.loads((made.folder / "metrics.json").read_text())
    assert metrics["domains"]["tac"]["labels"] == ["neutral", "happiness", "anger"]
