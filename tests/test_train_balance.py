import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from ser.manifests import make_splits
from ser.train.balance import balanced_draw, class_weights, log_priors
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.loop import DomainSplit, Training
from ser.train.methods import METHODS
from ser.train.model import make_spec

from .conftest import shapes

TARGETS = torch.tensor([0, 0, 0, 0, 0, 0, 2, 2])


def test_weights_are_by_hand():
    # Eight utterances, two classes that occur: 8 / (2 * 6) and 8 / (2 * 2).
    assert class_weights(TARGETS, 4).tolist() == pytest.approx([2 / 3, 0.0, 2.0, 0.0])
    assert class_weights(TARGETS, 4)[TARGETS].mean().item() == pytest.approx(1.0)


def test_log_priors_are_by_hand():
    expected = np.log([6 / 8, 1 / 8, 2 / 8, 1 / 8])
    assert log_priors(TARGETS, 4).numpy() == pytest.approx(expected)


def test_a_balanced_draw_has_every_emotion_as_often():
    rows = torch.arange(100, 108).repeat(500)
    targets = TARGETS.repeat(500)
    drawn = balanced_draw(rows, targets, torch.Generator().manual_seed(0))
    assert len(drawn) == len(rows)
    assert (drawn >= 106).double().mean().item() == pytest.approx(0.5, abs=0.03)


def training_of(toy_cache, *changes):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys)
    config = load_config("paper", ["train.alpha=0", "model.dropout=0", *changes])
    spec = make_spec(METHODS["single"], list(keys), shapes(domain), [domain], config)
    split = make_splits(manifest, "paper", 0)[0]
    part = DomainSplit(domain, domain.rows(split.train)[:20], domain.rows(split.validation))
    return Training([part], spec, config, 0), part


def test_losses_are_the_equations(toy_cache):
    rows = torch.arange(6)
    losses = {}
    for how in ("none", "weights", "logit"):
        training, part = training_of(toy_cache, f"train.balance={how}")
        losses[how] = training.loss(0, rows).item()
    model = training.model.train()
    logits = model(part.domain.batch(rows), "toy").detach()
    targets = part.domain.truth(rows)
    counts = np.bincount(part.domain.truth(part.train), minlength=3)
    each = F.cross_entropy(logits, targets, reduction="none").numpy()
    assert losses["none"] == pytest.approx(each.mean(), rel=1e-5)
    weights = counts.sum() / (3 * counts)
    assert losses["weights"] == pytest.approx((weights[targets] * each).mean(), rel=1e-5)
    adjusted = logits.numpy() + np.log(counts / counts.sum())
    chosen = adjusted[np.arange(6), targets]
    expected = (np.log(np.exp(adjusted).sum(1)) - chosen).mean()
    assert losses["logit"] == pytest.approx(expected, rel=1e-5)


def test_a_sampler_draws_anew_every_epoch(toy_cache, monkeypatch):
    training, part = training_of(toy_cache, "train.balance=sampler")
    seen = []
    monkeypatch.setattr(training, "step", lambda number, rows: seen.append(rows) or torch.zeros(()))
    training.epoch()
    first = torch.cat(seen)
    assert len(first) == len(part.train)
    assert set(first.tolist()) <= set(part.train.tolist())
    seen.clear()
    training.epoch()
    assert sorted(torch.cat(seen).tolist()) != sorted(first.tolist())
