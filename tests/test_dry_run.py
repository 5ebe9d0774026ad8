"""What extraction and training would do: the right numbers, and nothing done."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError
from ser.extract import extract_corpus, make_backbone, plan_corpus
from ser.portion import Portion
from ser.tests.conftest import tree
from ser.tests.test_extract_pipeline import write_corpus
from ser.train.config import load_config
from ser.train.runs.request import Request
from ser.train.runs.train import plan_request, train_portion, train_request


def ser(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "corpus"
    return root, write_corpus(root)


def test_what_would_be_extracted(corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")
    extract_corpus(manifest.select(["u01", "u04"]), root, "mfcc", cache, workers=0)
    before = tree(cache.folder)
    plan = plan_corpus(manifest, root, "mfcc,ge2e:dtype=float16,byol", cache)
    assert tree(cache.folder) == before
    mfcc, ge2e, byol = plan.features
    seconds = manifest.table.set_index("id")["duration"]
    missing = seconds[["u00", "u02", "u03", "u05"]].sum()
    rate = make_backbone("mfcc").frame_rate
    assert (mfcc.feature, mfcc.missing, mfcc.lacks) == ("mfcc", 4, "")
    assert mfcc.hours == pytest.approx(missing / 3600)
    assert mfcc.size == round(missing * rate * 24 * 4)
    assert (ge2e.missing, ge2e.size) == (6, 6 * 256 * 2)
    assert (byol.missing, byol.size) == (6, None)
    assert byol.hours == pytest.approx(seconds.sum() / 3600)
    assert "ser weights" in byol.lacks
    assert plan.to_do
    assert plan.known
    half = plan_corpus(manifest, root, "mfcc", cache, portion=Portion(1, 2))
    asked = [id for id in manifest.ids if Portion(1, 2).has(id)]
    assert half.utterances == len(asked)
    assert half.features[0].missing == len({*asked} - {"u01", "u04"})


def test_what_would_become_of_the_manifest(corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")

    def plan(emotions, **options):
        before = tree(cache.folder)
        table = manifest.table.assign(emotion=emotions)
        table[["id", "path", "speaker", "gender", "emotion"]].to_csv(
            tmp_path / "mine.csv", index=False
        )
        options = {"csv": tmp_path / "mine.csv", "language": manifest.language} | options
        found = plan_corpus("mine", root, "mfcc", cache, **options)
        assert tree(cache.folder) == before
        return found.manifest.saved is not None, found.manifest.told

    same = manifest.table["emotion"]
    assert plan(same) == (True, None)
    extract_corpus(manifest, root, "mfcc", cache, workers=0)
    assert plan(same) == (False, None)
    changes, told = plan("disgust")
    assert not changes
    assert "has other labels for the same utterances and is kept" in told
    changes, told = plan("disgust", replace=True)
    assert changes
    assert "is replaced (6 -> 6)" in told
    with pytest.raises(InputError, match=r"in the cache .* as pt, and is it here"):
        plan(same, language="it")


def test_the_size_is_about_what_is_written(corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")
    planned = plan_corpus(manifest, root, "mfcc", cache).features[0].size
    report = extract_corpus(manifest, root, "mfcc", cache, workers=0)
    written = cache.open(report.keys["mfcc"], manifest).nbytes
    assert planned == pytest.approx(written, rel=0.05)


def test_its_exit_code(corpus, tmp_path):
    root, manifest = corpus
    manifest.save(tmp_path / "mine.csv")
    command = ["extract", "--corpus", "mine", "--root", root, "--manifest", tmp_path / "mine.csv"]
    command += ["--features", "mfcc", "--cache", tmp_path / "cache"]
    result = ser(*command, "--dry-run")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[0] == "mine: its manifest would be put into the cache"
    assert "mine mfcc: 0 of 6 cached, 6 to compute: 0.00 h of audio, about " in result.stdout
    assert not (tmp_path / "cache").exists()
    assert ser(*command, "--workers", 0).exit_code == 0
    result = ser(*command, "--dry-run")
    assert (result.exit_code, result.stdout) == (
        0,
        "mine mfcc: 6 of 6 cached, nothing is missing\n",
    )
    result = ser(*command, "--dry-run", "--json")
    assert json.loads(result.stdout)["features"] == [
        {"feature": "mfcc", "missing": 0, "hours": 0.0, "size": 0, "lacks": ""}
    ]
    assert ser(*command, "--json").exit_code == 2


def request(**others):
    config = load_config("paper", ["train.epochs=2", "train.members=3"])
    made = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=4, workers=1)
    return replace(made, **others)


def test_what_would_be_trained(toy_cache, tmp_path):
    out = tmp_path / "run"
    plan = plan_request(request(), toy_cache, out)
    assert (plan.jobs, plan.finished, plan.networks, plan.epochs) == (4, 0, 12, 24)
    assert plan.corpora == ("toy",)
    manifest = toy_cache.manifest("toy")
    stored = [toy_cache.open(toy_cache.resolve(n, manifest), manifest) for n in ("mfcc", "ge2e")]
    assert plan.size == sum(4 * rows * dim for rows, dim in (each.shape for each in stored))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    train_portion(request(), toy_cache, out, Portion(1, 2))
    plan = plan_request(request(), toy_cache, out)
    assert (plan.finished, plan.networks, plan.to_do) == (2, 6, True)
    assert not out.exists()
    mine = plan_request(request(), toy_cache, out, Portion(1, 2))
    assert (mine.jobs, mine.finished) == (2, 2)
    train_request(request(), toy_cache, out)
    plan = plan_request(request(), toy_cache, out)
    assert (plan.finished, plan.networks, plan.written, plan.to_do) == (4, 0, True, False)


def test_the_exit_codes_of_training(two_corpora, tmp_path):
    options = ["--cache", two_corpora.folder, "--repeats", 1, "--features", "mfcc,ge2e"]
    train = ["train", "--setting", "baseline", "--method", "svm", "--corpus", "toy", *options]
    train += ["--out", tmp_path / "run"]
    result = ser(*train, "--dry-run")
    assert result.exit_code == 2
    assert result.stdout.startswith("toy svm: 0 of 1 models finished, 1 to train, on features of ")
    assert ser(*train).exit_code == 0
    result = ser(*train, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == f"toy svm: 1 of 1 models finished, {tmp_path / 'run'} is there\n"
    table = ["reproduce", "table4", "--corpus", "toy,tic", "--out", tmp_path / "out", *options]
    table += ["--set", "train.epochs=1", "--preset", "paper", "--workers", 1]
    result = ser(*table, "--dry-run", "--json")
    assert result.exit_code == 2, result.output
    found = json.loads(result.stdout)
    assert found["files"] == {"table4": False}
    assert {run["finished"] for run in found["runs"]} == {0}
    assert not (tmp_path / "out").exists()
    assert ser(*table).exit_code == 0
    result = ser(*table, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "table4: is there"
