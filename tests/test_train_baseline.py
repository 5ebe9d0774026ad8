"""The baseline against the same classifiers written out with scikit-learn, on all inputs."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import ser
from ser.errors import InputError
from ser.manifests import make_splits
from ser.train import baseline as module
from ser.train.baseline import (
    GRID,
    KEESING,
    BaselineSettings,
    Classifiers,
    Parts,
    scored,
    side_by_side,
    standardised,
    train_baseline,
    trained,
)
from ser.train.classifiers import (
    LINEAR,
    LOGISTIC,
    RBF,
    TOLERANCE,
    Candidate,
    Space,
    candidates_of,
    predictions,
)
from ser.train.config import load_config
from ser.train.metrics import confusion_matrix, unweighted_accuracy
from ser.train.runs.choices import Choice, describe_choices, read_choices
from ser.train.runs.report import describe_run
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import train_request
from ser.train.speakers import of_all, of_past, utterance_moments
from ser.train.speakers import standardised as by_speaker
from ser.train.vectors import Vectors, read_vectors

from .conftest import toy_manifest

SHARED = BaselineSettings.of(load_config("strong-1"), Classifiers(GRID))
CANDIDATES = SHARED.tried(1)
LABELS = ("neutral", "happiness", "anger")


def made(dims=(30, 5), n=60, seed=0, noise=1.5):
    """Utterances of three emotions and six speakers, and their parts; emotions are not alike in
    number, and inputs not in scale."""
    random = np.random.default_rng(seed)
    targets = np.array([0, 0, 0, 1, 1, 2] * (n // 6))
    features = {}
    for number, dim in enumerate(dims):
        centres = random.normal(size=(3, dim))
        values = centres[targets] + noise * random.normal(size=(n, dim))
        features[str(number)] = (values * random.uniform(0.01, 100, dim) + 7).astype(np.float32)
    ids = tuple(f"u{row}" for row in range(n))
    speakers = tuple(f"s{row // 6 % 6}" for row in range(n))
    vectors = Vectors("toy", LABELS, ids, speakers, targets, features)
    rows = random.permutation(n)
    return vectors, rows[: n // 2], rows[n // 2 : 2 * n // 3], rows[2 * n // 3 :]


def all_inputs(vectors):
    return np.concatenate(list(vectors.features.values()), axis=1).astype(np.float64)


def written_out(candidate, **others):
    if candidate.family == LOGISTIC:
        last = LogisticRegression(
            C=candidate.C, class_weight="balanced", solver="newton-cg", tol=1e-12
        )
    else:
        kernel = {LINEAR: "linear", RBF: "rbf"}[candidate.family]
        last = SVC(C=candidate.C, kernel=kernel, class_weight="balanced", **others)
    return make_pipeline(StandardScaler(), last)


@pytest.mark.parametrize("dims", [(30, 5), (4, 3), (500,)])
def test_candidates_are_those_of_scikit_learn_on_all_inputs(dims):
    """Whether there are more inputs than utterances or fewer."""
    vectors, train, _, test = made(dims, n=120, noise=6.0)
    inputs, targets = all_inputs(vectors), vectors.targets
    space = Space(side_by_side(standardised(vectors, train, SHARED), False), targets, train)
    found = predictions(space, CANDIDATES, test)
    scaled = StandardScaler().fit(inputs[train]).transform(inputs[train])
    scale = 1 / (scaled.shape[1] * scaled.var())  # scikit-learn's "scale"
    for candidate, said in zip(CANDIDATES, found, strict=True):
        own = {"gamma": candidate.gamma * scale} if candidate.family == RBF else {}
        plain = written_out(candidate, **own).fit(inputs[train], targets[train])
        np.testing.assert_array_equal(said, plain.predict(inputs[test]), str(candidate))
    assert len({said.tobytes() for said in found}) > 3


def test_one_times_scale_is_what_scikit_learn_calls_so():
    vectors, train, _, test = made()
    inputs, targets = all_inputs(vectors), vectors.targets
    space = Space(side_by_side(standardised(vectors, train, SHARED), False), targets, train)
    candidate = Candidate(RBF, 10.0, 1.0)
    plain = written_out(candidate, gamma="scale").fit(inputs[train], targets[train])
    np.testing.assert_array_equal(
        predictions(space, [candidate], test)[0], plain.predict(inputs[test])
    )
    kernel = plain[-1]
    scaled = plain[0].transform(inputs)
    gamma = kernel._gamma
    distances = ((scaled[:, None] - scaled[None, train]) ** 2).sum(-1)
    np.testing.assert_allclose(space.kernel(1.0), np.exp(-gamma * distances), rtol=1e-9)


@pytest.mark.parametrize("strength", [1e-6, 1e-2, 1.0])
def test_the_rotation_changes_no_probability(strength):
    """Of logistic regression on at most n axes instead of d inputs."""
    vectors, train, _, test = made((400,))
    inputs = side_by_side(standardised(vectors, train, SHARED), False)
    space = Space(inputs, vectors.targets, train)
    assert space.coordinates.shape == (60, 29)  # 30 that are centred span 29
    np.testing.assert_allclose(
        space.coordinates[train] @ space.coordinates[train].T, space.products[train], atol=1e-8
    )
    one = {"solver": "lbfgs", "max_iter": 10_000, "tol": 1e-10}
    other = {"solver": "newton-cg", "tol": TOLERANCE}
    said = [
        LogisticRegression(C=strength, class_weight="balanced", **settings)
        .fit(x[train], vectors.targets[train])
        .predict_proba(x[test])
        for x, settings in ((inputs, one), (space.coordinates, other))
    ]
    np.testing.assert_allclose(said[0], said[1], atol=1e-6)


def test_the_best_by_validation_is_chosen_the_most_regularised_of_equals(monkeypatch):
    vectors, train, validation, test = made()
    predicted, best, uas = train_baseline(vectors, SHARED, Parts(train, validation, test))
    assert tuple(uas) == SHARED.tried(2)
    assert uas[best] == max(uas.values())
    features = standardised(vectors, train, SHARED)
    spaces = [
        Space(side_by_side(features, alike), vectors.targets, train) for alike in (False, True)
    ]
    for candidate, ua in uas.items():
        (said,) = predictions(spaces[candidate.alike], [candidate], validation)
        counts = confusion_matrix(vectors.targets[validation], said, 3)
        assert ua == unweighted_accuracy(counts)
    np.testing.assert_array_equal(predicted, predictions(spaces[best.alike], [best], test)[0])
    # All say the same of emotions that lie far apart: all but the weakest are right.
    vectors, train, validation, test = made(noise=0.01)
    _, best, uas = train_baseline(vectors, SHARED, Parts(train, validation, test))
    assert list(uas.values()).count(1.0) > 10
    assert best == next(candidate for candidate, ua in uas.items() if ua == 1.0)
    assert best.family == LINEAR
    # What differs in the last bit of the mean alone is no better.
    rates = iter(0.7 + 1e-15 * np.arange(2 * len(CANDIDATES)))
    monkeypatch.setattr(module, "unweighted_accuracy", lambda _: next(rates))
    assert train_baseline(vectors, SHARED, Parts(train, validation, test))[1] == CANDIDATES[0]


def test_the_most_regularised_come_first():
    for family in (LINEAR, LOGISTIC, RBF):
        found = [(c.C, c.gamma) for c in CANDIDATES if c.family == family]
        assert found == sorted(found)
    assert [c.family for c in CANDIDATES] == sorted(
        (c.family for c in CANDIDATES), key=(LINEAR, LOGISTIC, RBF).index
    )
    assert len({str(candidate) for candidate in CANDIDATES}) == len(CANDIDATES) == 22


def test_the_grid_of_keesing():
    """C 2^-6 to 2^6 and gamma 2^-12 to 2^-2, in steps of 4x; gamma as it is."""
    found = list(candidates_of(KEESING))
    assert len(found) == 7 * 6
    assert found[0] == Candidate(RBF, 1 / 64, 1 / 4096, scaled=False)
    assert found[-1] == Candidate(RBF, 64.0, 0.25, scaled=False)
    assert [c.gamma for c in found[:3]] == [2**-12, 2**-10, 2**-8]
    assert str(found[0]) == "RBF SVM, C 0.015625, gamma 0.000244141"
    vectors, train, _, test = made()
    inputs = side_by_side(standardised(vectors, train, SHARED), False)
    space = Space(inputs, vectors.targets, train)
    some = [Candidate(RBF, 4.0, gamma, scaled=False) for gamma in (0.25, 2**-6)]
    for candidate, said in zip(some, predictions(space, some, test), strict=True):
        plain = SVC(C=4.0, gamma=candidate.gamma, class_weight="balanced")
        plain.fit(inputs[train], vectors.targets[train])
        np.testing.assert_array_equal(said, plain.predict(inputs[test]))


def test_chosen_by_the_test_parts_of_all_folds_it_is_one_for_all():
    """As Keesing's printed number: the highest UA of what all folds predict together."""
    vectors, train, validation, test = made(noise=4.0)
    settings = replaced(choose="test", refit=True, alike=False)
    folds = [Parts(train, validation, test), Parts(test, validation, train)]
    results = [train_baseline(vectors, settings, fold, folds) for fold in folds]
    assert results[0][1:] == results[1][1:]
    _, chosen, uas = results[0]
    assert uas[chosen] == max(uas.values())
    assert list(uas) == list(CANDIDATES)
    predicted = np.concatenate([result[0] for result in results])
    truth = vectors.targets[np.concatenate([test, train])]
    assert uas[chosen] == unweighted_accuracy(confusion_matrix(truth, predicted, 3))
    alone = train_baseline(vectors, settings, folds[0])
    assert alone[2] == train_baseline(vectors, settings, folds[0], folds[:1])[2]
    assert max(alone[2].values()) >= unweighted_accuracy(
        confusion_matrix(vectors.targets[test], results[0][0], 3)
    )


def test_a_family_by_the_test_part_its_settings_by_validation():
    """As SERAB's printed numbers; both kinds of support vector machine are one family."""
    vectors, train, validation, test = made(noise=4.0)
    parts = Parts(train, validation, test)
    settings = replaced(choose="family by test", refit=True, alike=False)
    predicted, chosen, uas = train_baseline(vectors, settings, parts)
    by_validation = scored(vectors, settings, CANDIDATES, [(train, validation)])
    machines = [c for c in CANDIDATES if c.family in (LINEAR, RBF)]
    logistic = [c for c in CANDIDATES if c.family == LOGISTIC]
    best = [max(of, key=by_validation.__getitem__) for of in (machines, logistic)]
    assert list(uas) == best
    both = np.concatenate([train, validation])
    assert uas == scored(vectors, settings, best, [(both, test)])
    assert uas[chosen] == max(uas.values())
    np.testing.assert_array_equal(predicted, trained(vectors, settings, [chosen], both, test)[0])


def test_features_that_count_alike_add_as_much_to_inner_products():
    narrow, wide = np.ones((1, 4)), 2 * np.ones((1, 16))
    # d / (F d_f) is 20 / (2 x 4) and 20 / (2 x 16).
    found = side_by_side([narrow, wide], True)
    np.testing.assert_allclose(found[0], [2.5**0.5] * 4 + [2 * 0.625**0.5] * 16)
    np.testing.assert_array_equal(side_by_side([narrow, wide], False)[0], [1.0] * 4 + [2.0] * 16)
    assert replaced(alike=False).tried(2) == CANDIDATES
    assert len({str(candidate) for candidate in SHARED.tried(2)}) == 44


def test_refitted_it_is_trained_on_validation_too_and_standardised_by_both():
    vectors, train, validation, test = made()
    both = np.concatenate([train, validation])
    refit = train_baseline(vectors, replaced(refit=True), Parts(train, validation, test))
    once = train_baseline(vectors, SHARED, Parts(train, validation, test))
    assert refit[1:] == once[1:]
    assert not refit[1].alike
    own = {"gamma": refit[1].gamma / 35} if refit[1].family == RBF else {}
    plain = written_out(refit[1], **own).fit(all_inputs(vectors)[both], vectors.targets[both])
    np.testing.assert_array_equal(refit[0], plain.predict(all_inputs(vectors)[test]))
    assert (refit[0] != once[0]).any()


def replaced(**settings):
    values = {name: getattr(SHARED, name) for name in SHARED.__struct_fields__}
    return BaselineSettings(**{**values, **settings})


@pytest.mark.parametrize("how", ["shared", "speaker", "causal"])
def test_inputs_are_standardised_as_those_of_a_network(how):
    vectors, train, _, _ = made()
    found = side_by_side(
        standardised(vectors, train, replaced(standardise=how, shrinkage=3.0)), False
    )
    expected = []
    for values in vectors.features.values():
        known = values[train].astype(np.float64)
        mean, std = known.mean(0), known.std(0)
        if how == "shared":
            expected.append((values - mean) / std)
            continue
        moments = utterance_moments(values)
        heard = of_all(moments, vectors.speakers)
        if how == "causal":
            heard = of_past(moments, vectors.speakers, vectors.ids)
        expected.append(by_speaker(values, heard, mean, std, 3.0))
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-12)


def test_an_input_that_never_changes_stays_zero_and_a_small_one_counts():
    vectors, train, _, _ = made((3,))
    values = vectors.features["0"].astype(np.float32)
    values[:, 0] = 0.1  # no float32
    values[:, 1] *= 1e-9
    found = side_by_side(
        standardised(replace(vectors, features={"0": values}), train, SHARED), False
    )
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(found[train].std(0)[1:], 1)


def request(*changes, **others):
    config = load_config("strong-1", list(changes))
    given = {"repeats": 2, "corpora": ["toy"], "features": ["mfcc", "ge2e"], **others}
    return Request("baseline", given.pop("corpora"), given.pop("features"), config, **given)


def test_a_run_says_what_was_chosen(toy_cache, tmp_path):
    run = train_request(request(), toy_cache, tmp_path / "run")
    assert list(run.choices) == [(0, 0), (1, 0)]
    choice = run.choices[0, 0]["toy"]
    assert set(choice.validation_ua) == set(map(str, SHARED.tried(2)))
    assert choice.validation_ua[choice.chosen] == max(choice.validation_ua.values())
    assert run.config.baseline == SHARED
    assert run.config.svm == {}
    assert run.config.settings is None
    assert Run.open(run.folder).is_of(run.config)
    manifest = toy_cache.manifest("toy")
    stored = {n: toy_cache.open(key, manifest) for n, key in run.config.keys.items()}
    vectors = read_vectors(manifest, stored, request().encoding)
    assert [v.shape for v in vectors.features.values()] == [(60, 45), (60, 7)]
    (split,) = make_splits(manifest, "paper", 1)
    parts = Parts(*map(vectors.rows, (split.train, split.validation, split.test)))
    predicted, best, _ = train_baseline(vectors, SHARED, parts)
    assert str(best) == run.choices[1, 0]["toy"].chosen
    table = run.predictions[run.predictions["repeat"] == 1]
    assert list(table["id"]) == list(split.test)
    assert list(table["predicted"]) == [manifest.labels[label] for label in predicted]


def test_the_encoder_of_the_network_is_no_matter(toy_cache, tmp_path):
    """Nor is any other setting that the baseline does not read."""
    one = train_request(request(), toy_cache, tmp_path / "one")
    other = request("model.encoder=attention", "train.lr=0.5", "model.standardise=corpus")
    assert one.is_of(train_request(other, toy_cache, tmp_path / "other").config)
    train_request(other, toy_cache, tmp_path / "one")  # it is there
    with pytest.raises(InputError, match="holds a different run"):
        train_request(request("train.refit=true"), toy_cache, tmp_path / "one")


@pytest.mark.parametrize("change", ["train.refit=true", "model.standardise=speaker"])
def test_what_it_reads_of_the_settings_is_recorded(toy_cache, tmp_path, change):
    asked = request(change, "model.shrinkage=30")
    run = train_request(asked, toy_cache, tmp_path / "run")
    name, _, value = change.partition("=")
    said = json.loads((run.folder / "config.json").read_text())["baseline"]
    assert str(said[name.partition(".")[2]]).lower() == value
    assert said["shrinkage"] == (30.0 if value == "speaker" else 0.0)


def test_audio_of_test_speakers_is_told_of_and_asks_for_speakers(toy_cache, tmp_path, monkeypatch):
    asked = request("model.standardise=speaker")
    run = train_request(asked, toy_cache, tmp_path / "run")
    assert run.metrics["domains"]["toy"]["heard"] == "speaker"
    assert "uses unlabelled audio of the test speakers" in describe_run(run.metrics)
    blank = toy_manifest()
    table = blank.table.assign(speaker="")
    monkeypatch.setattr(toy_cache, "manifest", lambda _: replace(blank, table=table))
    with pytest.raises(InputError, match="speaker is not known"):
        train_request(asked, toy_cache, tmp_path / "other")


def test_the_old_one_is_as_it_was(toy_cache, tmp_path):
    """RBF, C 10, gamma by scale, mean and deviation, classes as they are, nothing chosen."""
    run = train_request(request(method="svm"), toy_cache, tmp_path / "run")
    assert run.config.svm == {"kernel": "rbf", "C": 10.0, "gamma": "scale"}
    assert run.config.baseline is None
    assert run.choices == {}
    assert not (run.folder / "choices.json").exists()
    manifest = toy_cache.manifest("toy")
    mfcc, ge2e = (
        toy_cache.read(toy_cache.resolve(n, manifest), manifest) for n in ("mfcc", "ge2e")
    )
    frames = [mfcc[row].astype(float) for row in range(60)]
    pooled = [np.concatenate([each.mean(0), each.std(0)]) for each in frames]
    inputs = np.hstack([pooled, ge2e.frames])
    (split,) = make_splits(manifest, "paper", 0)
    row = {id: number for number, id in enumerate(manifest.ids)}
    train, test = ([row[id] for id in part] for part in (split.train, split.test))
    emotions = manifest.table["emotion"].to_numpy()
    plain = make_pipeline(StandardScaler(), SVC(kernel="rbf", C=10, gamma="scale"))
    said = plain.fit(inputs[train], emotions[train]).predict(inputs[test])
    table = run.predictions
    assert list(table.loc[table["repeat"] == 0, "predicted"]) == list(said)


def test_its_bytes_do_not_depend_on_the_number_of_workers(toy_cache, tmp_path):
    for workers in (1, 3):
        train_request(request(repeats=4, workers=workers), toy_cache, tmp_path / str(workers))
    for name in ("predictions.csv", "choices.json", "config.json"):
        one, other = ((tmp_path / workers / name).read_bytes() for workers in "13")
        assert one == other


SCRIPT = """
import sys
from ser.cli import main
try:
    main(sys.argv[1:])
finally:
    heavy = [name for name in ("torch", "ser.train.data", "matplotlib") if name in sys.modules]
    sys.exit(", ".join(heavy) or None)
"""


PRINTED = {
    "keesing-printed": "C and gamma were chosen by the test parts of all folds",
    "scheidwasser-printed": "the best on the test part was taken",
}


@pytest.mark.long
@pytest.mark.parametrize(
    "method", ["keesing", pytest.param("scheidwasser", marks=pytest.mark.soak), *PRINTED]
)
def test_published_classifiers_say_where_the_test_part_had_its_say(toy_cache, tmp_path, method):
    run = ser.train(
        "baseline", "toy", method=method, features="mfcc", cache=toy_cache, protocol="speaker",
        out=tmp_path / "run", folds=3,
    )  # fmt: skip
    said = describe_run(run.metrics)
    assert (PRINTED.get(method, "chosen by the test") in said) == (method in PRINTED)
    assert ("unlabelled audio of the test speakers" in said) == (method in PRINTED)
    assert run.config.baseline.refit
    assert run.config.baseline.choose != "validation" or method not in PRINTED
    choices = [each["toy"] for each in run.choices.values()]
    assert {choice.by for choice in choices} == {"test" if method in PRINTED else "validation"}
    if method == "keesing-printed":
        assert len({choice.chosen for choice in choices}) == 1
        assert (
            run.metrics["domains"]["toy"]["ua"]["mean"]
            == choices[0].validation_ua[choices[0].chosen]
        )


def test_the_mean_over_time_is_what_published_classifiers_hear(toy_cache):
    asked = request(method="keesing", features=["mfcc"])
    manifest = toy_cache.manifest("toy")
    key = toy_cache.resolve("mfcc", manifest)
    stored = {"mfcc": toy_cache.open(key, manifest)}
    found = read_vectors(manifest, stored, asked.encoding).features["mfcc"]
    frames = toy_cache.read(key, manifest)
    np.testing.assert_allclose(found[3], frames[3].mean(0), rtol=1e-6)


@pytest.mark.parametrize("method", ["baseline", "svm", "keesing"])
def test_it_imports_no_torch(toy_cache, tmp_path, method):
    out = tmp_path / "run"
    command = ["train", "--setting", "baseline", "--method", method, "--corpus", "toy"]
    command += ["--cache", str(toy_cache.folder), "--out", str(out), "--features", "mfcc,ge2e"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = f"Chosen by validation: {describe_choices(Run.open(out).choices)}." in done.stdout
    assert said == (method != "svm")


def test_what_was_chosen_in_words():
    linear, rbf = (Choice(name, {name: 0.5}) for name in ("linear SVM, C 1", "RBF SVM, C 1"))
    assert describe_choices({}) == ""
    assert describe_choices({(0, 0): {"a": linear}, (1, 0): {"a": linear}}) == "linear SVM, C 1"
    several = {(0, 0): {"a": rbf}, (1, 0): {"a": linear}, (2, 0): {"a": linear}}
    assert describe_choices(several) == "linear SVM, C 1 (2 of 3); RBF SVM, C 1 (1 of 3)"
    with pytest.raises(ValueError, match="no candidate"):
        Choice("linear SVM, C 1", {"linear SVM, C 2": 0.5})


CHOSEN = {"chosen": "a", "validation_ua": {"a": 0.5, "b": 0.4}}


@pytest.mark.parametrize(
    ("folds", "problem"),
    [
        ([{"repeat": 0, "fold": 0, "choices": {"toy": {**CHOSEN, "chosen": "c"}}}], "no candidate"),
        ([{"repeat": 0, "fold": 0, "choices": {"tic": CHOSEN}}], "not of the corpora"),
        (2 * [{"repeat": 0, "fold": 0, "choices": {"toy": CHOSEN}}], "a fold twice"),
        ([{"repeat": 0, "fold": 0, "choices": {}, "more": 1}], "more"),
        (
            [
                {
                    "repeat": 0,
                    "fold": 0,
                    "choices": {"toy": {"chosen": "a", "validation_ua": {"a": 7}}},
                }
            ],
            "1",
        ),
    ],
)
def test_choices_of_strangers(folds, problem):
    read_choices(json.dumps(folds[:0]).encode(), ["toy"])
    with pytest.raises(ValueError, match=problem):
        read_choices(json.dumps(folds).encode(), ["toy"])
