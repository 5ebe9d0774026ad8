"""Runs by protocols that keep columns apart, from the command line to what is printed of them."""

import json

import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.manifests import Manifest
from ser.reproduce import plan
from ser.reproduce.made import settings_of
from ser.reproduce.run import PLANS
from ser.train.config import load_config
from ser.train.runs.experiment import resolve
from ser.train.runs.pairs import compare_runs
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import default_out

from .conftest import make_toy_cache, toy_manifest


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """A cache of `toy`, six speakers who say `a` to `d`, and of `tic`, four who say `a` and `b`."""
    folder = tmp_path_factory.mktemp("said") / "cache"
    for sentences, of in (
        ("abcd", toy_manifest(72, speakers=6)),
        ("ab", toy_manifest(48, speakers=4, language="it", corpus="tic")),
    ):
        # A speaker has three utterances of one sentence, then three of the next.
        rounds = [len(of.table["speaker"].unique()) * 3] * len(of)
        spoken = [sentences[n // every % len(sentences)] for n, every in enumerate(rounds)]
        cache = make_toy_cache(folder, Manifest(of.table.assign(sentence=spoken)), noise=4.0)
    return cache


def request(**changes):
    values = {"setting": "baseline", "corpora": ["toy"], "features": ["ge2e"], "repeats": 1}
    return Request(**{**values, "config": load_config(), "workers": 1, **changes})


def train(cache: Cache, folder, *options):
    command = ["train", "--setting", "baseline", "--workers", "1", "-q"]
    command += [] if "--features" in options else ["--features", "ge2e"]
    command += ["--cache", str(cache.folder), "--out", str(folder), *options]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    return done.output


def test_one_speaker_out(said, tmp_path):
    text = train(
        said, tmp_path / "run", "--corpus", "toy", "--protocol", "speaker", "--folds", "all"
    )
    assert "protocol speaker, 1 repeat of 6 folds, 72 test utterances each" in text
    assert "No speaker is in two parts" in text
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["folds"] == "all"
    assert Run.open(tmp_path / "run").config.folds == "all"


def test_what_more_folds_cost_is_said(said, tmp_path):
    command = ["train", "--setting", "baseline", "--features", "ge2e", "--workers", "1"]
    command += ["--cache", str(said.folder), "--out", str(tmp_path / "run"), "--corpus", "toy"]
    done = CliRunner().invoke(main, [*command, "--protocol", "speaker", "--folds", "all"])
    assert "6 folds: as many models a repeat, where 5 are usual" in done.stderr


def test_the_usual_number_is_not_recorded_and_another_is_another_run(said):
    usual, four = (
        resolve(request(protocol="speaker", folds=folds), said).record for folds in (None, 4)
    )
    assert usual != four
    assert [len(resolve(request(protocol="speaker", folds=n), said).jobs) for n in (None, 4)] == [
        5,
        4,
    ]


def test_every_corpus_keeps_as_many_folds_as_it_has_speakers(said):
    several = request(setting="multidomain", corpora=["toy", "tic"], method="base")
    for folds, jobs, of_tic in ((None, 5, 4), (4, 4, 4), (3, 3, 3), ("all", 6, 4)):
        asked = Request(**{**several.__dict__, "protocol": "speaker", "folds": folds})
        experiment = resolve(asked, said)
        assert len(experiment.jobs) == jobs
        assert [len(of) for of in experiment.splits.values()] == [jobs, of_tic]


def test_by_sentence_speakers_overlap_and_it_is_said(said, tmp_path):
    text = train(said, tmp_path / "run", "--corpus", "toy", "--protocol", "group:sentence")
    assert "protocol group:sentence, 1 repeat of 4 folds" in text
    assert "No sentence of a test part is in training or validation. Speakers overlap" in text
    assert "jackknife over the groups that are kept apart" in text
    domain = Run.open(tmp_path / "run").metrics["domains"]["toy"]
    assert (domain["interval"], domain["folds"], domain["speakers_shared"]) == ("groups", 4, 6)


def test_by_sentence_and_speaker_they_do_not(said, tmp_path):
    options = ["--corpus", "toy", "--protocol", "group:speaker+sentence"]
    text = train(said, tmp_path / "run", *options)
    assert "of 20 folds, 72 test utterances each" in text
    assert "No speaker and no sentence of a test part is in training" in text
    assert "numbers for unknown speakers" in text
    assert Run.open(tmp_path / "run").metrics["domains"]["toy"]["interval"] == "speakers"
    # Its file of splits, with the utterances that are not used, serves another run; which protocol
    # it is of need not be said.
    again = train(
        said, tmp_path / "two", "--corpus", "toy", "--split", str(tmp_path / "run" / "split.csv")
    )
    assert again.splitlines()[:-1] == text.splitlines()[:-1]


def test_of_two_sentences_it_is_said_how_validation_came_about(said, tmp_path):
    text = train(said, tmp_path / "run", "--corpus", "tic", "--protocol", "group:sentence")
    assert "of 2 folds, 48 test utterances each" in text
    assert "Note: Of two groups by sentence one is tested" in text


def test_runs_by_sentence_are_compared_over_sentences(said, tmp_path):
    for name, feature in (("one", "ge2e"), ("two", "mfcc")):
        train(
            said,
            tmp_path / name,
            *("--corpus", "toy", "--protocol", "group:sentence", "--features", feature),
        )
    runs = [Run.open(tmp_path / name) for name in ("one", "two")]
    (pair,) = compare_runs(runs, said)
    assert (pair.over, pair.corpora["toy"].units) == ("groups", 4)
    (alone,) = compare_runs(runs)
    assert "the tests need its groups" in alone.problems[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--protocol", "group:sentense"], "did you mean 'sentence'?"),
        (["--protocol", "grup:sentence"], "unknown protocol 'grup:sentence'"),
        (["--protocol", "speaker", "--folds", "2"], "expected all, or a number from 3"),
        (["--protocol", "speaker", "--folds", "every"], "is not all, and no number of folds"),
        (["--folds", "4"], "--folds 4: paper has none to choose"),
        (["--protocol", "folds:emobox"], "ser split import"),
    ],
)
def test_what_is_refused(said, tmp_path, options, text):
    command = ["train", "--setting", "baseline", "--corpus", "toy", "--features", "ge2e"]
    done = CliRunner().invoke(main, [*command, "--cache", str(said.folder), *options])
    assert done.exit_code == 2
    assert text in done.output


def test_folds_of_a_table(said, tmp_path):
    common = request(setting="single", corpora=[], protocol="group:sentence", folds=3)
    assert plan.default_out(common).name == "paper-group-sentence-3-folds-ge2e"
    values = plan.describe(PLANS["table3"], common, "ser reproduce")
    assert "protocol `group:sentence` with `--folds 3`, 1 repeat." in settings_of(values)


def test_a_run_folder_is_named_without_a_colon():
    assert ":" not in default_out(request(protocol="group:speaker+sentence")).name
