import numpy as np
import pytest
import torch

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.data import Domain, Packed
from ser.train.loop import DomainSplit, Training, fit_inputs
from ser.train.methods import METHODS, methods_of
from ser.train.model import build, make_spec
from ser.train.network.fusion import Gate
from ser.train.network.spec import SHARED

from .conftest import shapes

LABELS = {"aa": ("neutral", "anger"), "bb": ("neutral", "anger", "fear"), "cc": ("anger", "awe")}


def domain(corpus, language, seed=0):
    """12 utterances with a sequence of 3 frames and two vectors."""
    random = torch.Generator().manual_seed(seed)
    offsets = torch.arange(13)
    labels = LABELS[corpus]
    return Domain(
        corpus=corpus,
        language=language,
        labels=labels,
        ids=tuple(f"{corpus}{n}" for n in range(12)),
        speakers=("",) * 12,
        targets=torch.arange(12) % len(labels),
        features={
            "mfcc": Packed(torch.randn(36, 4, generator=random), 3 * offsets, True, "mfcc"),
            "ge2e": Packed(torch.randn(12, 6, generator=random), offsets, False, "ge2e"),
            "byol": Packed(torch.randn(12, 5, generator=random), offsets, False, "byol"),
        },
    )


DOMAINS = [domain("aa", "en", 1), domain("bb", "de", 2), domain("cc", "fr", 3)]
FEATURES = ("mfcc", "ge2e")


def recogniser(method, *changes, domains=DOMAINS, features=FEATURES):
    config = load_config("paper", changes)
    torch.manual_seed(0)
    model = build(make_spec(METHODS[method], features, shapes(domains[0]), domains, config))
    fit_inputs(model, [(each, torch.arange(12)) for each in domains])
    return model, config


def trained(method, *changes, domains=DOMAINS):
    """A model about to be trained."""
    config, rows = load_config("paper", changes), torch.arange(12)
    spec = make_spec(METHODS[method], FEATURES, shapes(domains[0]), domains, config)
    return Training([DomainSplit(one, rows, rows) for one in domains], spec, config, 0)


def gradients(method, number=0, *changes, domains=DOMAINS):
    """Names of the parameters that a batch of one corpus gives a gradient."""
    training = trained(method, *changes, domains=domains)
    training.loss(number, torch.arange(12)).backward()
    return {
        name
        for name, parameter in training.model.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }


def of(names, *parts):
    return {name for name in names if any(part in name for part in parts)}


def test_a_gate_is_the_literal_equation():
    gate = Gate(3, 2, load_config().gate).double()
    x = torch.randn(4, 3, dtype=torch.double)
    w = gate.linear.weight.detach().numpy()
    for row, found in zip(x.numpy(), gate(x).detach().numpy(), strict=True):
        powers = np.exp([w[m] @ row for m in range(2)])
        np.testing.assert_allclose(found, powers / powers.sum())


@pytest.mark.parametrize("method", methods_of("multidomain"))
def test_fusion_is_the_literal_sum(method):
    model, _ = recogniser(method)
    model.eval()
    one = DOMAINS[1]
    batch = model.standardised(one.batch(torch.arange(12)), "bb")
    v = model.encode(batch)
    if method == "ours":
        xi = model.fusion.connection("de").settled()
        w = model.fusion.transitions["language_de"].weight
        v = torch.stack(
            [sum(xi[i, j] * v[:, j] @ w[i, j] for j in range(2)) for i in range(2)], dim=1
        )
    weights = torch.ones(12, 2)
    if METHODS[method].gated:
        weights = model.fusion.gate("de")(batch["ge2e"][0])
    expected = sum(weights[:, m, None] * v[:, m] for m in range(2))
    torch.testing.assert_close(model.represent(batch, "bb"), expected)


def test_the_shared_bottom_has_no_gate_and_a_tower_per_language():
    model, _ = recogniser("sb")
    assert not of(dict(model.named_parameters()), "gates", "connections", "transitions")
    assert sorted(model.towers) == ["language_de", "language_en", "language_fr"]


def test_base_has_one_tower_over_the_union_of_labels():
    model, _ = recogniser("base")
    assert list(model.towers) == [SHARED]
    assert not of(dict(model.named_parameters()), "gates", "connections")
    assert model.spec.tower_labels(SHARED) == ("neutral", "anger", "fear", "awe")
    assert model.columns("cc").tolist() == [1, 3]
    assert model.towers[SHARED][-1].out_features == 4
    logits = model(DOMAINS[2].batch(torch.arange(12)), "cc")
    assert logits.shape == (12, 2)


def test_omoe_has_one_gate_for_all():
    model, _ = recogniser("omoe")
    assert list(model.fusion.gates) == [SHARED]
    assert model.fusion.gate("en") is model.fusion.gate("de")
    assert of(gradients("omoe", 0), "gates") == of(gradients("omoe", 2), "gates") != set()


@pytest.mark.parametrize("method", ["mmoe", "ours"])
def test_a_batch_of_one_corpus_trains_its_own_gate_and_tower_and_the_shared_encoders(method):
    names = gradients(method, 1)
    own = of(names, "gates", "towers", "connections", "transitions")
    assert own == of(own, "language_de") != set()
    assert of(names, "gates")
    assert bool(of(names, "connections")) == bool(of(names, "transitions")) == (method == "ours")
    assert of(names, "encoders.0.lstm")
    assert of(names, "encoders.1")


def test_transitions_can_be_shared_while_connections_are_not():
    names = gradients("ours", 1, "search.share_transitions=true")
    assert of(names, "transitions") == {f"fusion.transitions.{SHARED}.weight"}
    assert of(names, "connections") == {"fusion.connections.language_de.log_kappa"}


def test_two_corpora_of_a_language_share_its_gate_and_tower():
    domains = [domain("aa", "de", 1), domain("bb", "de", 2), domain("cc", "fr", 3)]
    model, _ = recogniser("ours", domains=domains)
    assert sorted(model.towers) == ["language_de", "language_fr"]
    assert model.spec.tower_labels("language_de") == ("neutral", "anger", "fear")
    parts = ("gates", "towers", "connections", "transitions")
    first, second = (of(gradients("ours", n, domains=domains), *parts) for n in (0, 1))
    assert first == second == of(first, "language_de") != set()


@pytest.mark.parametrize("language", ["to", "all", "pop", "keys", "pt-br"])
def test_a_language_may_be_called_like_something_of_torch(language):
    domains = [domain("aa", language, 1), domain("bb", "de", 2)]
    assert f"language_{language}" in recogniser("ours", domains=domains)[0].towers


def test_the_selector_need_not_be_among_the_features():
    model, _ = recogniser("mmoe", "gate.selector=byol")
    assert [shape.name for shape in model.spec.inputs] == ["mfcc", "ge2e", "byol"]
    assert len(model.encoders) == 2
    assert model.fusion.gate("en").linear.weight.shape == (2, 5)


def test_gates_may_begin_even_and_add_up_to_the_number_of_features():
    one = DOMAINS[0]
    model, _ = recogniser("mmoe", "gate.init=even", "gate.scale=features")
    summed, _ = recogniser("sb")
    batch = model.standardised(one.batch(torch.arange(12)), "aa")
    torch.testing.assert_close(model.represent(batch, "aa"), summed.represent(batch, "aa"))


def test_the_penalty_is_l0_times_the_expected_number_of_connections():
    free, penalised = (trained("ours", f"search.l0={l0}") for l0 in (0, 0.5))
    for training in (free, penalised):
        training.model.eval()  # no noise: both losses see the same gates
    difference = penalised.loss(0, torch.arange(12)) - free.loss(0, torch.arange(12))
    expected = free.model.fusion.connection("en").expected_l0()
    torch.testing.assert_close(difference, 0.5 * expected)


def test_inputs_can_be_standardised_for_each_corpus():
    model, _ = recogniser("sb", "model.standardise=corpus")
    for one in DOMAINS:
        values, _ = model.standardised(one.batch(torch.arange(12)), one.corpus)["ge2e"]
        torch.testing.assert_close(values.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    shared, _ = recogniser("sb")
    together = torch.cat(
        [shared.standardised(d.batch(torch.arange(12)), d.corpus)["ge2e"][0] for d in DOMAINS]
    )
    torch.testing.assert_close(together.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    own, _ = shared.standardised(DOMAINS[0].batch(torch.arange(12)), "aa")["ge2e"]
    assert own.mean(0).abs().max() > 0.01


def test_a_spec_builds_the_model_again():
    model, _ = recogniser("ours", "gate.selector=byol")
    build(model.spec).load_state_dict(model.state_dict())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": ("mfcc", "mfcc")}, "reads a feature twice"),
        ({"domains": DOMAINS[:1] * 2}, "has a corpus twice"),
        ({"changes": ["gate.selector=mfcc"]}, "has a selector that is a sequence"),
        ({"changes": ["train.finetune_ge2e=true"], "features": ("mfcc",)}, "without it"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes, says):
    values = {"features": FEATURES, "domains": DOMAINS, "changes": [], **changes}
    config = load_config("paper", ["gate.selector=byol", *values["changes"]])
    domains = values["domains"]
    with pytest.raises(ValueError, match=f"the model .*{says}"):
        make_spec(METHODS["ours"], values["features"], shapes(domains[0]), domains, config)


def test_a_corpus_that_was_not_trained_on_is_an_error():
    with pytest.raises(InputError, match="trained for aa, bb, cc, not for dd"):
        recogniser("sb")[0].spec.domain("dd")


def test_towers_can_begin_alike():
    model, _ = recogniser("sb", "model.tower_init=alike", "model.tower=linear")
    last = {name: tower[-1] for name, tower in model.towers.items()}
    labels = {name: model.spec.tower_labels(name) for name in model.towers}
    anger = [last[name].weight[labels[name].index("anger")] for name in last]
    assert torch.equal(anger[0], anger[1])
    assert torch.equal(anger[0], anger[2])
    assert not torch.equal(last["language_de"].weight[0], last["language_de"].weight[1])
    deep, _ = recogniser("sb", "model.tower_init=alike")
    torch.testing.assert_close(
        deep.towers["language_de"][0].weight, deep.towers["language_fr"][0].weight
    )


def test_gates_and_search_can_learn_at_a_rate_of_their_own():
    training = trained("ours", "gate.lr=0.5", "search.lr=0.1")
    model = training.model
    rates = {
        name: share
        for share, group in training.optimiser.groups.items()
        for name, parameter in model.named_parameters()
        if any(parameter is each for each in group)
    }
    assert len(rates) == len(list(model.parameters()))
    assert rates["fusion.gates.language_de.linear.weight"] == 0.5
    assert rates["fusion.connections.language_de.log_kappa"] == 0.1
    assert rates["encoders.1.layers.0.weight"] == 1.0
