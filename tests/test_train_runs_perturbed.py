"""Requests, experiments and runs that train on perturbed recordings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from ser.errors import InputError, MissingFeaturesError
from ser.train.config import Config, load_config
from ser.train.runs.experiment import resolve
from ser.train.runs.load import encode, load_domains
from ser.train.runs.networks import run_network
from ser.train.runs.plan import plan_experiments
from ser.train.runs.report import describe_run, model_name
from ser.train.runs.request import Request
from ser.train.runs.train import train_request

from .perturbed import FEATURES, PERTURB, WAYS, perturb


@pytest.fixture
def cache(toy_cache):
    perturb(toy_cache, "toy")
    return toy_cache


@pytest.mark.parametrize("setting", ["single", "baseline"])
def test_a_run_says_what_it_heard_and_needs_the_recordings_alone(cache, tmp_path, setting):
    changes = ["train.epochs=2", "train.members=1"] if setting == "single" else []
    runs = {}
    for name, more in {"plain": [], "perturbed": [PERTURB]}.items():
        config = load_config("strong", [*changes, *more])
        request = Request(setting, ["toy"], FEATURES, config, repeats=1, workers=1)
        runs[name] = train_request(request, cache, tmp_path / name)
    config = runs["perturbed"].config
    assert [*config.keys] == [*FEATURES]
    said = config.settings.augment if setting == "single" else config.baseline
    assert said.perturb == "speed0.9,noise20"
    assert PERTURB in runs["perturbed"].metrics["changes"]
    assert f"{PERTURB})" in model_name(runs["perturbed"].metrics)
    assert PERTURB not in describe_run(runs["plain"].metrics)
    assert f"{PERTURB}." in describe_run(runs["perturbed"].metrics)
    if setting == "single":
        histories = [run.history for run in runs.values()]
        assert histories[0] != histories[1]


def test_however_it_is_written_the_setting_is_the_same(tmp_path):
    written = load_config("strong", ["augment.perturb=speed.90, noise20.0"])
    assert written == load_config("strong", [PERTURB])
    assert written.changes == (PERTURB,)
    (tmp_path / "own.toml").write_text('base = "strong"\n[augment]\nperturb = "speed.9"\n')
    assert load_config(str(tmp_path / "own.toml")).augment.perturbations == ("speed0.9",)
    with pytest.raises(InputError, match=r"--set augment.perturb=x: perturbation 'x': expected"):
        load_config("strong", ["augment.perturb=x"])
    values = written.to_dict()
    values["augment"]["perturb"] = "x"
    with pytest.raises(InputError, match=r"config: .*perturbation 'x': expected"):
        Config.from_dict({**values, "changes": []})
    del values["augment"]["perturb"]  # of a run from before there was such a setting
    assert Config.from_dict({**values, "changes": []}).augment.perturbations == ()


@pytest.mark.parametrize("method", ["ours", "base"])
def test_several_corpora_are_perturbed_alike(two_corpora, tmp_path, method):
    def trained(out):
        config = load_config("strong", ["train.epochs=1", "train.members=1", PERTURB])
        request = Request(
            "multidomain", ["toy", "tic"], FEATURES, config, method, repeats=1, workers=1
        )
        return train_request(request, two_corpora, tmp_path / out)

    perturb(two_corpora, "toy")
    with pytest.raises(MissingFeaturesError, match="of tic: not in the cache"):
        trained("lacking")
    perturb(two_corpora, "tic")
    run, again = trained("one"), trained("two")
    pd.testing.assert_frame_equal(run.predictions, again.predictions)


@pytest.mark.parametrize("setting", ["single", "baseline"])
def test_corpora_that_are_only_tested_need_no_perturbed_recordings(two_corpora, tmp_path, setting):
    perturb(two_corpora, "toy")
    changes = ["train.epochs=1", "train.members=1"] if setting == "single" else []
    config = load_config("strong", [*changes, PERTURB])
    request = Request(
        setting,
        ["toy", "tic"],
        FEATURES,
        config,
        protocol="corpus",
        repeats=1,
        tested=["tic"],
        workers=1,
    )
    experiment = resolve(replace(request, skip_missing=True), two_corpora)
    assert not experiment.skipped["tic"]
    run = train_request(request, two_corpora, tmp_path / "run")
    assert [*run.metrics["domains"]] == ["tic"]


def test_experiments_on_one_corpus_share_what_is_loaded(cache):
    def experiment(features, *changes):
        config = load_config("paper", ["train.epochs=1", *changes])
        return resolve(Request("single", ["toy"], features, config, repeats=1), cache)

    experiments = [
        experiment(FEATURES),
        experiment(["ge2e"], PERTURB),
        experiment(["mfcc"], "augment.perturb=noise20"),
    ]
    loaded = load_domains(cache, experiments)
    assert [*loaded["toy"].perturbed] == [*WAYS]
    together = [
        run_network(encode(loaded, experiments), each.jobs[0]).predictions["toy"].probabilities
        for each in experiments
    ]
    for each, found in zip(experiments, together, strict=True):
        alone = encode(load_domains(cache, [each]), [each])
        assert [*alone["toy"].perturbed] == [*each.request.perturbations]
        expected = run_network(alone, each.jobs[0]).predictions["toy"].probabilities
        np.testing.assert_array_equal(found, expected)
    mapped = load_domains(cache, [experiment(FEATURES, PERTURB)])["toy"]
    from_disk = replace(experiments[1].request, memory=0)
    found = load_domains(cache, [resolve(from_disk, cache)])["toy"]
    assert found.mapped
    rows = mapped.all_versions(torch.arange(7))
    assert torch.equal(found.batch(rows)["ge2e"][0], mapped.batch(rows)["ge2e"][0])


def test_what_is_not_extracted_is_named_with_its_command(cache, tmp_path):
    def resolved(*changes, **more):
        config = load_config("strong", [*changes])
        request = Request("single", ["toy"], FEATURES, config, repeats=1, **more)
        return resolve(request, cache)

    with pytest.raises(MissingFeaturesError) as caught:
        resolved("augment.perturb=speed1.1")
    message = str(caught.value)
    assert message.startswith("augment.perturb=speed1.1 needs features of perturbed recordings: ")
    assert "--features mfcc:perturb=speed1.1,ge2e:perturb=speed1.1" in message
    with pytest.raises(InputError, match="expected speed or pitch or noise"):
        resolved("augment.perturb=loud")
    (plain,), (more,) = (
        plan_experiments({tmp_path / "run": resolved(*changes)}, cache)
        for changes in ([], [PERTURB])
    )
    assert more.size > 3 * plain.size


def test_utterances_without_perturbed_features_can_be_left_out(cache, tmp_path):
    manifest = cache.manifest("toy")
    for name in FEATURES:
        key = cache.resolve(name, manifest)
        with cache.write(key.perturbed("pitch2"), manifest) as writer:
            for id in manifest.ids[:-3]:
                writer.add(id, np.ones((1, key.dim) if name == "mfcc" else key.dim, "f4"))
    config = load_config("strong", ["augment.perturb=pitch2"])
    request = Request("single", ["toy"], FEATURES, config, repeats=1)
    with pytest.raises(MissingFeaturesError, match="3 of 60 utterances"):
        load_domains(cache, [resolve(request, cache)])
    experiment = resolve(replace(request, skip_missing=True), cache)
    assert experiment.skipped["toy"] == [*manifest.ids[-3:]]
