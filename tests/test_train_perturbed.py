"""Training on perturbed recordings: drawn by networks, all of them given to the baseline."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from ser.manifests import make_splits
from ser.train.baseline import BaselineSettings, Classifiers, Parts, train_baseline, trained
from ser.train.classifiers import LINEAR, Candidate
from ser.train.config import load_config
from ser.train.data import Packed, load_domain, statistics
from ser.train.encoding import Encoding
from ser.train.evaluate import probabilities
from ser.train.loop import DomainSplit, Training, fit, fit_inputs
from ser.train.methods import METHODS
from ser.train.model import build, make_spec
from ser.train.network.spec import FeatureShape
from ser.train.speakers import of_all, utterance_moments
from ser.train.speakers import standardised as by_speaker
from ser.train.vectors import Vectors, united

from .conftest import toy_key, toy_manifest
from .perturbed import FEATURES, PERTURB, WAYS, perturb


@pytest.fixture
def domain(toy_cache):
    cache, manifest = toy_cache, toy_cache.manifest("toy")
    perturb(cache, "toy")
    keys = {name: cache.resolve(name, manifest) for name in FEATURES}
    perturbed = {
        how: load_domain(cache, manifest, {n: key.perturbed(how) for n, key in keys.items()})
        for how in WAYS
    }
    return replace(load_domain(cache, manifest, keys), perturbed=perturbed)


def rows_of(domain):
    split = make_splits(toy_manifest(), "paper", [0])[0]
    return Parts(*(domain.rows(ids).numpy() for ids in split.parts().values()))


def test_a_batch_has_every_utterance_as_its_row_says(domain):
    n = len(domain.ids)
    rows = torch.tensor([3, n + 5, 2 * n + 3, 0, n + 3])
    batch = domain.batch(rows)
    assert {*batch} == {*FEATURES}
    for place, row in enumerate(rows.tolist()):
        alone = domain.versions[row // n].batch(torch.tensor([row % n]))
        for name in FEATURES:
            values, lengths = batch[name]
            length = int(alone[name][1])
            assert int(lengths[place]) == length
            shown = values[place, :length] if values.dim() == 3 else values[place]
            assert torch.equal(shown, alone[name][0][0])
            if values.dim() == 3:
                assert not values[place, length:].any()
    assert torch.equal(domain.truth(rows), domain.truth(rows % n))


def test_all_versions_and_any_of_them(domain):
    n = len(domain.ids)
    assert domain.all_versions(torch.tensor([4, 1])).tolist() == [4, 1, n + 4, n + 1, *_third(n)]
    rows, draw = torch.arange(n).repeat(50), torch.Generator().manual_seed(0)
    drawn = domain.any_versions(rows, draw)
    assert torch.equal(drawn % n, rows)
    shares = (drawn // n).bincount() / len(rows)
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    before = draw.get_state()
    assert domain.perturbed_by(()).any_versions(rows, draw) is rows
    assert torch.equal(draw.get_state(), before)  # nothing changes for those that perturb nothing


def _third(n):
    return [2 * n + 4, 2 * n + 1]


def test_a_domain_keeps_its_versions_whatever_becomes_of_it(domain):
    assert [*domain.perturbed_by(["noise20"]).perturbed] == ["noise20"]
    for changed in (domain.share(), domain.to(torch.device("cpu")), domain.only(["ge2e"])):
        assert [*changed.perturbed] == [*WAYS]
    assert [*domain.only(["ge2e"]).perturbed["noise20"].features] == ["ge2e"]
    assert domain.bytes == sum(version.bytes for version in _alone(domain))
    encoded = domain.encoded(Encoding("functionals", heard="speaker"))
    for version, before in zip(_alone(encoded), _alone(domain), strict=True):
        assert version.features["mfcc"].dim == 45
        alone = before.encoded(Encoding("functionals", heard="speaker"))
        for one, other in zip(version.heard["mfcc"], alone.heard["mfcc"], strict=True):
            assert torch.equal(one, other)  # a speaker is known by what is perturbed alike


def _alone(domain):
    return replace(domain, perturbed={}), *domain.perturbed.values()


@pytest.mark.parametrize("encoder", ["attention", "functionals"])
def test_inputs_are_standardised_by_all_versions_of_the_training_part(domain, encoder):
    config = load_config("paper", [f"model.encoder={encoder}"])
    domain = domain.encoded(Encoding.of(config))
    model = build(_spec(domain, config))
    train = torch.arange(0, len(domain.ids), 2)
    fit_inputs(model, [(domain, train)])
    mean, std = statistics([(version.features["mfcc"], train) for version in domain.versions])
    torch.testing.assert_close(model.inputs[0].mean[0], mean)
    torch.testing.assert_close(model.inputs[0].std[0], std)


def _spec(domain, config):
    encoding = Encoding.of(config)
    keys = {"mfcc": toy_key("mfcc", "sequence", 5), "ge2e": toy_key("ge2e", "vector", 7)}
    shapes = {name: encoding.shape(name, keys[name]) for name in FEATURES}
    return make_spec(METHODS["single"], FEATURES, shapes, [domain], config)


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_an_epoch_hears_every_utterance_once_in_one_of_its_versions(domain, preset, monkeypatch):
    config = load_config(preset, ["train.epochs=2", PERTURB])
    domain = domain.encoded(Encoding.of(config))
    train, rest = torch.arange(40), torch.arange(40, len(domain.ids))
    training = Training([DomainSplit(domain, train, rest)], _spec(domain, config), config, 0)
    step, heard = training.step, []

    def listen(number, rows):
        heard.append(rows)
        return step(number, rows)

    monkeypatch.setattr(training, "step", listen)
    training.epoch()
    rows = torch.cat(heard)
    assert sorted((rows % len(domain.ids)).tolist()) == train.tolist()
    assert {*(rows // len(domain.ids)).tolist()} == {0, 1, 2}


def noise_for(domain):
    """The domain with noise for its features; the true ones are its only perturbed version."""
    draw = torch.Generator().manual_seed(0)
    noise = {
        name: replace(packed, frames=torch.randn(packed.frames.shape, generator=draw))
        for name, packed in domain.features.items()
    }
    plain = replace(domain, perturbed={})
    return replace(domain, features=noise, perturbed={"noise20": plain})


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_a_network_learns_what_only_perturbed_recordings_tell(domain, preset):
    config = load_config(preset, ["train.epochs=12"])
    heard = noise_for(domain).encoded(Encoding.of(config))
    train, _, test = map(torch.from_numpy, rows_of(domain))
    right = {}
    for ways in ((), ("noise20",)):
        split = DomainSplit(heard.perturbed_by(ways), train, train[:0])
        model = fit([split], _spec(heard, config), config, 0).model
        said = probabilities(model, heard.perturbed["noise20"], test).argmax(1)
        right[ways] = (said == domain.truth(test)).float().mean().item()
    assert right["noise20",] > 0.8 > right[()] + 0.2


def vectors(domain, **more):
    features = {"ge2e": domain.features["ge2e"].frames.numpy()}
    targets = domain.targets.numpy()
    return Vectors("toy", domain.labels, domain.ids, domain.speakers, targets, features, **more)


@pytest.mark.parametrize("how", ["shared", "speaker"])
def test_the_baseline_is_trained_on_all_versions(domain, how):
    """Against scikit-learn on all of them, one under the other."""
    others = {name: vectors(version) for name, version in domain.perturbed.items()}
    versions = [vectors(domain), *others.values()]
    settings = BaselineSettings.of(
        load_config("strong", [f"model.standardise={how}"]), Classifiers({LINEAR: {"C": (1.0,)}})
    )
    train, validation, test = rows_of(domain)
    known = np.concatenate([each.features["ge2e"][train] for each in versions]).astype(float)
    mean, std = known.mean(0), known.std(0)

    def inputs(of):
        values = of.features["ge2e"]
        if how == "shared":
            return (values - mean) / std
        heard = of_all(utterance_moments(values), of.speakers)
        return by_speaker(values, heard, mean, std, settings.shrinkage)

    classifier = SVC(C=1.0, kernel="linear", class_weight="balanced")
    truth = np.tile(domain.targets.numpy()[train], len(versions))
    classifier.fit(np.concatenate([inputs(each)[train] for each in versions]), truth)
    candidate = Candidate(LINEAR, C=1.0)
    given = vectors(domain, perturbed=others)
    (said,) = trained(given, settings, [candidate], train, test)
    np.testing.assert_array_equal(said, classifier.predict(inputs(versions[0])[test]))
    predicted, chosen, _ = train_baseline(given, settings, Parts(train, validation, test))
    assert chosen == candidate
    assert len(predicted) == len(test)


def test_corpora_that_are_one_to_a_baseline_keep_their_versions(domain):
    one = vectors(domain, perturbed={"noise20": vectors(domain.perturbed["noise20"])})
    whole = united({"a": one, "b": one}, domain.labels[:2])
    again = whole.perturbed["noise20"]
    assert again.ids == whole.ids
    kept = np.flatnonzero(domain.targets.numpy() < 2)
    assert len(whole.ids) == 2 * len(kept)
    values = one.perturbed["noise20"].features["ge2e"][kept]
    np.testing.assert_array_equal(again.features["ge2e"], np.concatenate([values, values]))


def test_wide_vectors_are_reduced_by_all_versions(domain):
    config = load_config("strong", ["model.components=2"])
    wide = domain.features["ge2e"]
    wide = replace(wide, frames=torch.randn(len(wide.frames), 1100))
    shape = FeatureShape("ge2e", "ge2e", 1100, False)
    spec = make_spec(METHODS["single"], ["ge2e"], {"ge2e": shape}, [domain], config)
    shifted = replace(wide, frames=-wide.frames[:, torch.arange(1100).flip(0)])
    other = replace(domain.only(["ge2e"]).perturbed_by(()), features={"ge2e": shifted})
    heard = replace(other, features={"ge2e": wide}, perturbed={"noise20": other})
    stacked = torch.cat([wide.frames, shifted.frames])
    both = replace(
        heard,
        ids=tuple(map(str, range(len(stacked)))),
        features={"ge2e": Packed(stacked, torch.arange(len(stacked) + 1), sequence=False)},
        perturbed={},
    )
    models = []
    for part in (heard, both):
        models.append(build(spec))
        fit_inputs(models[-1], [(part, torch.arange(len(part.ids)))])
    for one, other in zip(models[0].buffers(), models[1].buffers(), strict=True):
        torch.testing.assert_close(one, other)
