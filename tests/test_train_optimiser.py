import subprocess
import sys

import pytest
import torch

from ser.train.optimiser import AdamW


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in [(3, 2), (4,)]]


def schedule(step):
    return 1 / (step + 1)


def test_one_step_by_hand():
    weight = torch.tensor([2.0], requires_grad=True)
    weight.grad = torch.tensor([0.5])
    AdamW({1.0: [weight]}, 0.1, 0.01, lambda step: 1.0).step()
    # decay by lr * weight_decay, then lr * sign(gradient): both moments are exact at first
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.01) - 0.1, abs=1e-6)


def test_it_is_the_library_s_adamw_with_groups_and_a_schedule():
    mine, theirs = weights(), weights()
    ours = AdamW({1.0: mine[:1], 0.1: mine[1:]}, 1e-2, 0.05, schedule)
    library = torch.optim.AdamW(
        [{"params": theirs[:1], "lr": 1e-2}, {"params": theirs[1:], "lr": 1e-3}],
        weight_decay=0.05,
        fused=True,
    )
    rates = torch.optim.lr_scheduler.LambdaLR(library, schedule)
    for step in range(5):
        for number, (own, other) in enumerate(zip(mine, theirs, strict=True)):
            # the second has no gradient in every other step
            absent = number == 1 and step % 2
            gradient = torch.randn(own.shape, generator=torch.Generator().manual_seed(step))
            own.grad = None if absent else gradient
            other.grad = None if absent else gradient.clone()
        ours.step()
        library.step()
        rates.step()
        for own, other in zip(mine, theirs, strict=True):
            assert torch.equal(own, other)


def test_gradients_are_forgotten():
    (weight, other) = weights()
    optimiser = AdamW({1.0: [weight], 0.5: [other]}, 1e-2, 0.0, schedule)
    weight.sum().backward()
    optimiser.zero_grad()
    before = weight.detach().clone()
    optimiser.step()
    assert weight.grad is None
    assert torch.equal(weight, before)


def test_the_compiler_is_not_imported():
    code = """
import sys, torch
from ser.train.optimiser import AdamW
weight = torch.ones(2, requires_grad=True)
optimiser = AdamW({1.0: [weight]}, 0.1, 0.0, lambda step: 1.0)
weight.sum().backward()
optimiser.step()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
