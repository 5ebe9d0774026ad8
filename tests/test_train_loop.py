import contextlib
import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from ser.errors import InputError, SerError
from ser.manifests import make_splits
from ser.train import loop
from ser.train.augment import augment, mix
from ser.train.batches import ordered_batches
from ser.train.config import load_config
from ser.train.data import Domain, Packed, load_domain, statistics
from ser.train.encoding import Encoding
from ser.train.evaluate import probabilities, standardised
from ser.train.loop import (
    DomainSplit,
    Training,
    fit,
    fit_inputs,
    lr_factor,
)
from ser.train.methods import METHODS
from ser.train.model import build, make_spec
from ser.train.network.encoders import PrincipalComponents
from ser.train.network.ensemble import Ensemble
from ser.train.network.towers import make_tower, shape_of
from ser.train.optimiser import AdamW
from ser.train.runs.networks import member_seed
from ser.train.runs.request import Request
from ser.train.runs.train import train_request

from .conftest import shapes

QUICK = ["train.epochs=3"]


@pytest.fixture
def domain(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    return load_domain(toy_cache, manifest, keys)


@pytest.fixture
def parts(toy_cache, domain):
    split = make_splits(toy_cache.manifest("toy"), "paper", 0)[0]
    return domain.rows(split.train), domain.rows(split.validation), domain.rows(split.test)


def spec_of(domain, config):
    features = list(domain.features)
    return make_spec(METHODS["single"], features, shapes(domain), [domain], config)


def fit_one(domain, train, validation, config, seed, *more):
    split = DomainSplit(domain, train, validation)
    return fit([split], spec_of(domain, config), config, seed, *more)


CHANGES = ["augment.mixup=0.2", "augment.noise=0.3"]


@pytest.mark.parametrize(
    ("preset", "changes", "losses"),
    [
        ("paper", [], [0.910955, 0.363199, 0.084763]),
        ("paper", CHANGES, [0.947462, 0.521442, 0.239967]),
        ("strong-1", [], [1.106919, 0.980790, 0.942647]),
        ("strong-1", CHANGES, [1.098601, 1.001182, 0.971634]),
    ],
)
def test_a_seed_gives_the_loss_curve_that_it_gave_before(domain, parts, preset, changes, losses):
    config = load_config(preset, [*QUICK, *changes])
    found = fit_one(domain, *parts[:2], config, 5)
    assert found.losses == pytest.approx(losses, rel=1e-4)


def test_training_learns_and_keeps_the_best_epoch(domain, parts):
    train, validation, _ = parts
    fitted = fit_one(domain, train, validation, load_config("paper", ["train.epochs=6"]), seed=0)
    assert fitted.losses[-1] < fitted.losses[0] / 2
    curve = fitted.validation["toy"]
    assert curve[fitted.epoch - 1] == max(curve)
    assert fitted.epoch == 1 + int(np.argmax(curve))  # of equals, the first
    rows = torch.cat([validation])
    batches = list(ordered_batches(rows, domain.lengths(), 7))
    predicted = probabilities(fitted.model, domain, rows, batches).argmax(-1)
    recall = [
        float((predicted[domain.targets[rows] == label] == label).float().mean())
        for label in range(3)
    ]
    assert np.mean(recall) == pytest.approx(curve[fitted.epoch - 1])


def test_the_last_epoch_can_be_kept_instead(domain, parts):
    config = load_config("paper", [*QUICK, "train.select=last"])
    assert fit_one(domain, *parts[:2], config, seed=0).epoch == 3


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_a_seed_gives_the_same_numbers_and_another_seed_others(domain, parts, preset):
    config = load_config(preset, QUICK)
    first, again, other = (fit_one(domain, *parts[:2], config, seed=seed) for seed in (3, 3, 4))
    assert first.losses == again.losses
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    assert first.losses != other.losses


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_the_validation_and_test_parts_do_not_touch_the_model(domain, parts, preset):
    train, validation, test = parts
    config = load_config(preset, [*QUICK, "train.select=last"])
    with_validation = fit_one(domain, train, validation, config, seed=0).model.state_dict()
    with_test = fit_one(domain, train, test, config, seed=0).model.state_dict()
    for name, value in with_validation.items():
        assert torch.equal(value, with_test[name]), name


def test_inputs_are_standardised_by_the_training_part_alone(domain, parts):
    model = build(spec_of(domain, load_config()))
    fit_inputs(model, [(domain, parts[0])])
    mean, std = statistics([(domain.features["mfcc"], parts[0])])
    torch.testing.assert_close(model.inputs[0].mean[0], mean)
    torch.testing.assert_close(model.inputs[0].std[0], std)
    values, lengths = model.standardised(domain.batch(parts[0]), "toy")["mfcc"]
    inside = torch.arange(values.shape[1]) < lengths[:, None]
    assert values[~inside].abs().max() == 0
    torch.testing.assert_close(values[inside].mean(0), torch.zeros(5), atol=1e-4, rtol=0)


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_batch_composition_changes_no_output(domain, parts, preset):
    model = fit_one(domain, *parts[:2], load_config(preset, QUICK), seed=0).model
    rows = parts[2]
    with torch.inference_mode():
        together = model(domain.batch(rows), "toy")
        alone = torch.cat([model(domain.batch(row[None]), "toy") for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_loss_is_cross_entropy_plus_alpha_times_the_auxiliary_loss(domain, parts):
    config = load_config("paper", ["model.dropout=0"])
    split = DomainSplit(domain, *parts[:2])
    training = Training([split], spec_of(domain, config), config, 0)
    model, targets = training.model, domain.targets[parts[0]]
    batch = model.standardised(domain.batch(parts[0]), "toy")
    fused = model.represent(batch, "toy")
    expected = F.cross_entropy(model.classify(fused, "toy"), targets)
    expected = expected + 0.01 * training.auxiliary(fused, targets, 3)  # German: alpha .01
    torch.testing.assert_close(training.loss(0, parts[0]), expected)
    training.config = config.changed("train.alpha=0")
    plain = F.cross_entropy(model.classify(fused, "toy"), targets)
    torch.testing.assert_close(training.loss(0, parts[0]), plain)


def test_towers_are_the_paper_s():
    widths = {lang: make_tower(4, 3, lang, 0.1)[0].out_features for lang in ("en", "de", "fr")}
    assert widths == {"en": 256, "de": 512, "fr": 512}
    names = [type(layer).__name__ for layer in make_tower(4, 3, "en", 0.1)]
    assert names == ["Linear", "Mish", "Dropout", "Linear", "GELU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in make_tower(4, 3, "it", 0.1)][1:5:3] == [
        "Tanh",
        "ReLU",
    ]
    linear = [type(layer).__name__ for layer in make_tower(4, 3, "de", 0.1, "linear")]
    assert linear == ["ReLU", "Dropout", "Linear"]
    logits = [type(layer).__name__ for layer in make_tower(4, 3, "de", 0.1, "logits")]
    assert logits == ["Dropout", "Linear"]
    alphas = [shape_of(language).alpha for language in ("en", "de", "fr", "it")]
    assert alphas == [0.1, 0.01, 0.015, 0.01]


def test_the_cosine_schedule_ends_near_zero():
    factor = lr_factor(load_config("paper", ["train.schedule=cosine"]), 100)
    assert factor(0) == 1
    assert factor(50) == pytest.approx(0.5)
    assert factor(99) < 0.001
    constant = lr_factor(load_config(), 100)
    assert {constant(step) for step in range(100)} == {1.0}


def test_noise_leaves_padding_at_zero():
    settings = load_config("paper", ["augment.noise=1"]).augment
    values, lengths = torch.ones(4, 40, 3), torch.tensor([40, 10, 1, 25])
    values = values * (torch.arange(40) < lengths[:, None])[..., None]
    changed, _ = augment({"mfcc": (values, lengths)}, settings)["mfcc"]
    assert not torch.equal(changed, values)
    for row, length in enumerate(lengths):
        assert changed[row, length:].abs().sum() == 0


def test_no_augmentation_changes_nothing():
    values, lengths = torch.randn(2, 5, 3), torch.tensor([5, 5])
    found, _ = augment({"mfcc": (values, lengths)}, load_config().augment)["mfcc"]
    assert torch.equal(found, values)


def test_mixing_keeps_to_the_line_between_two_rows():
    torch.manual_seed(0)
    x = torch.randn(16, 3)
    mixed, partner, weight = mix(x, 0.4)
    assert sorted(partner.tolist()) == list(range(16))
    assert ((weight >= 0) & (weight <= 1)).all()
    torch.testing.assert_close(mixed, weight[:, None] * x + (1 - weight)[:, None] * x[partner])


def test_sequences_are_pooled_to_their_moments(domain, toy_cache):
    pooled = domain.encoded(Encoding("pooled"))
    features = toy_cache.read(
        toy_cache.resolve("mfcc", toy_cache.manifest("toy")), toy_cache.manifest("toy")
    )
    moments = pooled.features["mfcc"].frames
    assert moments.shape == (60, 5 + 5)
    np.testing.assert_allclose(moments[3, :5], features[3].mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments[3, 5:], features[3].std(0), rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_a_gpu_is_not_waited_for_within_an_epoch(domain, parts, preset):
    config = load_config(preset, CHANGES)
    there = domain.to(torch.device("cuda"))
    split = DomainSplit(there, *parts[:2])
    training = Training([split], spec_of(there, config), config, 0)
    training.epoch()
    torch.cuda.set_sync_debug_mode("error")
    try:
        training.epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("preset", ["paper", "strong"])
@pytest.mark.parametrize("method", ["single", "ours"])
def test_no_value_is_read_within_an_epoch(domain, parts, preset, method, monkeypatch):
    """A step runs on tensors without values, so it never waits for a device to tell one."""
    config = load_config(preset, [each for each in CHANGES if "mixup" not in each])
    domains = [domain]
    if method == "ours":
        domains.append(dataclasses.replace(domain, corpus="other", language="fr"))
    spec = make_spec(METHODS[method], list(domain.features), shapes(domain), domains, config)
    training = Training([DomainSplit(each, *parts[:2]) for each in domains], spec, config, 0)

    nowhere = torch.device("meta")
    monkeypatch.setattr(loop, "precision", lambda *_: contextlib.nullcontext())
    training.device = nowhere
    training.model.to(nowhere)
    training.auxiliary.to(nowhere)
    groups = training.model.parameter_groups()
    training.optimiser = AdamW(groups, 1e-3, 0.0, lr_factor(config, 10))
    training.targets = [each.to(nowhere) for each in training.targets]
    training.splits = [DomainSplit(without_values(each), *parts[:2]) for each in domains]
    training.inputs = [standardised(training.model, part.domain) for part in training.splits]
    assert training.epoch().is_meta


def without_values(domain):
    """The same domain with nothing but shapes on its device; the host knows all lengths."""
    there = domain.to(torch.device("meta"))
    for name, packed in there.features.items():
        packed.__dict__["lengths"] = domain.features[name].lengths
    return there


def test_a_loss_that_is_not_finite_is_an_error(domain, parts):
    domain.features["ge2e"].frames[0] = torch.inf  # as if the weights had run away
    with pytest.raises(SerError, match=r"train\.lr"):
        fit_one(domain, torch.arange(40), parts[1], load_config("paper", QUICK), seed=0)


def test_every_epoch_is_counted(domain, parts):
    seen = []
    fitted = fit_one(domain, *parts[:2], load_config("paper", QUICK), 0, seen.append)
    assert seen == [{"toy": ua} for ua in fitted.validation["toy"]]
    assert len(seen) == 3


def test_half_precision_learns_nearly_the_same(domain, parts):
    config = load_config("paper", [*QUICK, "model.dropout=0"])
    half = load_config("paper", [*QUICK, "model.dropout=0", "train.precision=bfloat16"])
    full, found = (fit_one(domain, *parts[:2], each, seed=0) for each in (config, half))
    assert found.losses != full.losses
    assert found.losses == pytest.approx(full.losses, rel=0.1)
    assert {value.dtype for value in found.model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("preset", ["paper", "strong"])
def test_utterances_without_emotions_can_be_recognised(domain, parts, preset):
    domain = domain.encoded(Encoding.of(load_config(preset)))
    model = fit_one(domain, *parts[:2], load_config(preset, QUICK), seed=0).model
    features = {
        name: Packed.of(
            [
                packed.frames[start:end].numpy() if packed.sequence else packed.frames[row].numpy()
                for row, (start, end) in enumerate(pairwise(packed.offsets.tolist()))
            ],
            packed.backbone,
        )
        for name, packed in domain.features.items()
    }
    unknown = Domain("toy", "de", domain.labels, domain.ids, domain.speakers, features)
    found = probabilities(model, unknown, parts[2])
    assert torch.equal(found, probabilities(model, domain, parts[2]))
    with pytest.raises(InputError, match="toy: the emotions of its utterances are not known"):
        fit_one(unknown, *parts[:2], load_config(preset, QUICK), seed=0)


def test_an_ensemble_is_the_mean_of_its_members(domain, parts):
    config = load_config("strong", QUICK)
    models = [fit_one(domain, *parts[:2], config, seed=seed).model for seed in range(3)]
    mean = torch.zeros(len(parts[2]), 3)
    for model in models:
        mean += probabilities(model, domain, parts[2]) / 3
    assert torch.equal(probabilities(Ensemble(models), domain, parts[2]), mean)


def test_training_leaves_torch_s_generator_as_it_was(domain, parts):
    torch.manual_seed(9)
    before = torch.get_rng_state()
    fit_one(domain, *parts[:2], load_config("paper", QUICK), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_vectors_are_standardised_once_for_all_batches(domain, parts):
    encoded = domain.encoded(Encoding("functionals"))
    config = load_config("strong", ["model.components=4"])
    training = Training(
        [DomainSplit(encoded, *parts[:2])], spec_of(encoded, config), config, seed=0
    )
    rows = parts[0][:5]
    expected = training.model.standardised(encoded.batch(rows), "toy")
    for name, (values, lengths) in training.inputs[0](rows).items():
        torch.testing.assert_close(values, expected[name][0])
        assert lengths.tolist() == [1] * 5


@pytest.mark.parametrize("count", [40, 12])
def test_principal_components_are_those_of_numpy(count):
    values = torch.randn(count, 20, generator=torch.Generator().manual_seed(0)) * torch.arange(20)
    reduced = PrincipalComponents(20, 15)
    reduced.fit(values)
    _, sizes, axes = np.linalg.svd(values.numpy().astype(np.float64), full_matrices=False)
    kept = min(15, count)
    scale = np.sqrt(count * 15 / np.square(sizes[:kept]).sum())
    expected = values.numpy() @ axes[:kept].T * scale
    found = reduced(values).numpy()
    assert np.abs(found[:, :kept]) == pytest.approx(np.abs(expected), rel=1e-3, abs=1e-3)
    assert np.square(found).mean() == pytest.approx(1.0, rel=1e-4)
    assert (found[:, kept:] == 0).all()


def test_a_model_that_is_refitted_is_trained_on_all_that_is_not_tested(toy_cache, tmp_path):
    config = load_config("strong", ["train.epochs=3", "train.members=2"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=1, workers=1)
    run = train_request(request, toy_cache, tmp_path / "run")
    domain, split = run.domain("toy", toy_cache), run.splits["toy"]
    rows = {
        part: domain.rows(list(split.loc[split["part"] == part, "id"]))
        for part in ("train", "validation")
    }
    both = torch.cat(list(rows.values())).sort().values
    for member, (model, trained) in enumerate(
        zip(run.ensemble(0).recognisers, run.history[0].members, strict=True)
    ):
        seed = member_seed(0, member, 0)
        again = fit([DomainSplit(domain, both, both[:0])], run.spec, config, seed)
        for name, value in again.model.state_dict().items():
            torch.testing.assert_close(model.state_dict()[name], value)
        assert again.validation == {}
        # What was said of the validation part came before.
        before = fit([DomainSplit(domain, *rows.values())], run.spec, config, seed)
        assert trained.validation_ua == before.validation
