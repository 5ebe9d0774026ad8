"""When a structure is searched, by what, and what is kept of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.loop import DomainSplit, Training, fit
from ser.train.methods import METHODS, Method
from ser.train.model import make_spec
from ser.train.network.fusion import Fusion
from ser.train.network.search import HardConcrete
from ser.train.search_schedule import (
    StructureSearch,
    gap,
    highest,
    lagrangian,
    target_size,
)

from .conftest import shapes
from .test_train_fusion import DOMAINS, domain

FEATURES = ("byol", "ge2e")
"""Both vectors."""

PHASES = [
    "train.epochs=10",
    "train.batch_size=4",
    "search.warmup=0.4",
    "search.freeze=0.2",
    "search.held_out=0.25",
    "search.target=0.5",
]
LEARNED = [*PHASES, "search.gate_lr=0.2"]
ROWS, VALIDATION = torch.arange(12), torch.arange(0)


def training(*changes, method="ours", seed=0, domains=DOMAINS, preset="strong"):
    config = load_config(preset, changes)
    spec = make_spec(METHODS[method], FEATURES, shapes(domains[0]), domains, config)
    splits = [DomainSplit(one, ROWS, ROWS) for one in domains]
    return Training(splits, spec, config, seed)


def xi(found, language="de"):
    return found.model.fusion.connection(language).train()()


def literal_lagrangian(kappas, target, linear, square, absolute):
    """l1 d + l2 d^2 of the expected share of open gates, between the clamped extremes."""

    def chance(log_kappa):
        return 1 / (1 + np.exp(-(log_kappa - 0.9 * np.log(0.1 / 2))))

    shut, wide = chance(-4.6), chance(4.6)
    share = np.mean([(chance(np.log(k)) - shut) / (wide - shut) for k in kappas])
    distance = share - target
    distance = abs(distance) if absolute else distance
    return linear * distance + square * distance**2


@given(
    kappas=st.lists(st.floats(0.01, 100), min_size=1, max_size=9),
    target=st.floats(0, 1),
    linear=st.floats(-5, 5),
    square=st.floats(0, 5),
    absolute=st.booleans(),
)
def test_the_lagrangian_is_the_literal_equation(kappas, target, linear, square, absolute):
    gates = HardConcrete(1, len(kappas)).double()
    with torch.no_grad():
        gates.log_kappa.copy_(torch.tensor([kappas], dtype=torch.double).log())
    distance = gap(gates.share(), target, "absolute" if absolute else "signed")
    expected = literal_lagrangian(kappas, target, linear, square, absolute)
    assert lagrangian(distance, linear, square).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("progress", "size"), [(0, 1), (0.15, 0.85), (0.3, 0.7), (0.6, 0.4), (0.8, 0.4), (1, 0.4)]
)
def test_the_target_comes_down_linearly_over_three_fifths_of_the_search(progress, size):
    assert target_size(0.4, progress) == pytest.approx(size)


def test_the_k_highest_are_kept_of_equals_the_first():
    values = torch.tensor([[0.3, 0.9, 0.1], [0.3, 0.8, 0.2]])
    assert highest(values, 0.5).tolist() == [[True, True, False], [False, True, False]]
    assert highest(values, 0).tolist() == [[False, True, False], [False, True, False]]
    assert highest(values, 1).all()


def test_the_multipliers_rise_by_their_gradients():
    found = training(*LEARNED, "search.warmup=0", "train.batch_size=32")
    found.search.begin(0)
    found.model.train()
    gates = found.model.fusion.connection("de")
    expected = (0.0, 0.0)
    for step in range(3):
        target = 1 - 0.5 * min(1, step / found.search.steps / 0.6)
        distance = gates.share().item() - target
        expected = expected[0] + 0.3 * distance, expected[1] + 0.3 * distance**2
        found.search.step(1, found.loss)
        assert found.search.multipliers["de"] == pytest.approx(expected)
    assert found.search.multipliers["fr"] == (0, 0)


def test_the_first_step_of_a_gate_is_its_rate():
    found = training(*LEARNED, "search.warmup=0")
    found.search.begin(0)
    found.search.multipliers["de"] = 9.0, 0.0
    before = found.model.fusion.connection("de").log_kappa.detach().clone()
    others = {n: p.detach().clone() for n, p in found.model.named_parameters()}
    found.search.step(1, found.loss)
    moved = found.model.fusion.connection("de").log_kappa - before
    torch.testing.assert_close(moved, torch.full((2, 2), -0.2), rtol=1e-3, atol=0)
    name = "fusion.connections.language_de.log_kappa"
    for other, value in found.model.named_parameters():
        assert other == name or torch.equal(value, others[other]), other


def test_weights_do_not_move_gates_nor_decay_them():
    found = training(*LEARNED, "train.weight_decay=1", "search.warmup=0")
    found.search.begin(0)
    before = found.model.fusion.connection("de").log_kappa.detach().clone()
    found.step(1, torch.arange(6))
    assert torch.equal(found.model.fusion.connection("de").log_kappa, before)


def test_all_is_open_then_gates_learn_and_the_best_are_kept():
    found = training(*LEARNED)
    for epoch in range(10):
        found.epoch()
        gates = found.model.fusion.connection("de")
        if epoch < 4:
            assert torch.equal(xi(found), torch.ones(2, 2))
        elif epoch < 8:
            assert found.search.pending
            assert not torch.equal(xi(found), xi(found))
            last = gates.log_kappa.detach().clone()
        else:
            assert not found.search.pending
            assert torch.equal(xi(found), highest(last, 0.5).float())
    for language in ("en", "de", "fr"):
        said = found.model.fusion.structure(language)
        assert said["open"] == 2
        assert said["parameters"] == 2 * 256**2
        assert sorted(value for row in said["connections"] for value in row) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        (["search.structure=open"], [[1, 1], [1, 1]]),
        (["search.structure=diagonal"], [[1, 0], [0, 1]]),
        (["search.structure=random", "search.target=1"], [[1, 1], [1, 1]]),
    ],
)
def test_structures_to_compare_with_come_after_the_same_warm_up(changes, kept):
    found = training(*PHASES, *changes)
    for epoch in range(10):
        found.epoch()
        assert xi(found).tolist() == (kept if epoch >= 4 else [[1, 1], [1, 1]])


def test_random_structures_are_as_large_as_the_target_and_other_by_draw_and_language():
    def drawn(draw):
        found = training(*PHASES, "search.structure=random", f"search.draw={draw}")
        found.search.begin(found.search.first)
        return tuple(tuple(xi(found, lang).flatten().tolist()) for lang in ("en", "de", "fr"))

    draws = [drawn(draw) for draw in range(6)]
    assert drawn(3) == draws[3]
    assert len(set(draws)) > 3
    assert {sum(each) for draw in draws for each in draw} == {2}
    assert any(len(set(draw)) > 1 for draw in draws)


def test_gates_learn_from_what_weights_do_not_until_the_structure_is_frozen():
    found = training(*LEARNED)
    search = found.search
    for number, part in enumerate(search.parts(0)):
        held = {row for _ in range(9) for row in next(search.batches[number]).tolist()}
        assert len(held) == 3  # a quarter of twelve
        assert held | set(part.train.tolist()) == set(range(12))
        assert not held & set(part.train.tolist())
    assert search.parts(7) == search.parts(0)
    assert [part.train.tolist() for part in search.parts(8)] == [list(range(12))] * 3
    assert found.optimiser.schedule(8 * 3 * 3 + 2 * 3 * 3) == pytest.approx(0, abs=1e-9)


def spoken(corpus, language, speakers):
    """Utterances of `domain` by these speakers in turn."""
    from dataclasses import replace

    turns = tuple(speakers[row % len(speakers)] for row in range(12))
    return replace(domain(corpus, language), speakers=turns)


def held_by(one, train, validation, share=0.2):
    config = load_config("strong", [*LEARNED, f"search.held_out={share}"])
    search = StructureSearch(
        {one.language: HardConcrete(2, 2)},
        [DomainSplit(one, torch.tensor(train), torch.tensor(validation))],
        [one.lengths()],
        *(config.search, 10, 4, 0),
    )
    rest = search.parts(0)[0].train.tolist()
    return rest, sorted(set(train) - set(rest))


def test_speakers_are_kept_apart_where_the_split_keeps_them_apart():
    one = spoken("aa", "en", "abcd")
    heard = [row for row in range(12) if one.speakers[row] != "d"]
    unheard = [row for row in range(12) if one.speakers[row] == "d"]
    rest, held = held_by(one, heard, unheard)
    assert {one.speakers[row] for row in held} & {one.speakers[row] for row in rest} == set()
    assert len(held) == 3  # of one speaker of three: a fifth, but at least one
    rest, held = held_by(one, heard[:-1], [*unheard, heard[-1]])
    assert len(held) == 2  # that speaker is known: a fifth of eight, of whomever
    two = spoken("aa", "en", ["a", "b"])
    assert held_by(two, [0, 2, 4, 6, 8], [1, 3])[1] != []
    nobody = spoken("aa", "en", [""])
    assert len(held_by(nobody, list(range(10)), [10, 11])[1]) == 2


class Chosen(Fusion):
    """A fusion of one's own, the sum of the features that every language keeps."""

    def __init__(self, spec):
        super().__init__(spec)
        self.gates = nn.ModuleDict(
            {f"of_{language}": HardConcrete(1, len(spec.features)) for language in spec.languages}
        )

    def forward(self, encoded, language, selector):
        xi = self.gates[f"of_{language}"](len(encoded))
        return (xi.transpose(-1, -2) * encoded).sum(1)

    def searched(self):
        return {name.removeprefix("of_"): gates for name, gates in self.gates.items()}


def test_a_fusion_of_one_s_own_can_be_searched():
    method = Method("chosen", Chosen, several=True)
    config = load_config("strong", LEARNED)
    spec = make_spec(method, FEATURES, shapes(DOMAINS[0]), DOMAINS, config)
    splits = [DomainSplit(one, ROWS, ROWS) for one in DOMAINS]
    fitted = fit(splits, spec, config, 0, method=method)
    for gates in fitted.model.fusion.searched().values():
        assert sorted(gates.settled()[0].tolist()) == [0, 1]


def test_a_method_without_gates_is_trained_as_ever():
    plain = training(method="mmoe").epoch()
    changes = [*LEARNED, "train.epochs=40", "train.batch_size=32"]
    assert torch.equal(training(*changes, method="mmoe").epoch(), plain)
    assert not torch.equal(training(*changes).epoch(), plain)


@pytest.mark.long
def test_a_search_gives_the_same_numbers_again_and_others_by_seed():
    config = load_config("strong", LEARNED)
    spec = make_spec(METHODS["ours"], FEATURES, shapes(DOMAINS[0]), DOMAINS, config)
    splits = [DomainSplit(one, ROWS, ROWS) for one in DOMAINS]
    first, again, other = (fit(splits, spec, config, seed) for seed in (1, 1, 2))
    assert first.losses == again.losses != other.losses
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_the_best_epoch_is_one_with_the_final_structure():
    config = load_config("strong", [*LEARNED, "train.select=best"])
    spec = make_spec(METHODS["ours"], FEATURES, shapes(DOMAINS[0]), DOMAINS, config)
    fitted = fit([DomainSplit(one, ROWS, ROWS) for one in DOMAINS], spec, config, 0)
    assert fitted.epoch > 8
    assert fitted.model.fusion.structure("de")["open"] == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["search.target=0.4"], "gates with a rate of their own, such as search.gate_lr=0.05"),
        (["search.structure=open", "search.warmup=0.6", "search.freeze=0.5"], "all epochs"),
        (["search.structure=best"], "expected learned or open or diagonal or random"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes, says):
    with pytest.raises(InputError, match=says):
        load_config("strong", changes)
