"""Five repeats of a model on two cores: side by side, or stepped together as one batched model.

    python benchmarks/repeats.py --cache ~/ser-cache

Forward and backward passes over batches that are ready. Side by side: one repeat per core, a
thread each, as `ser train` does it. Batched: the weights of all repeats stacked, every product of
matrices one for all of them, all cores. An LSTM cannot be stacked by `torch.vmap`; its batched
form here is a loop over time whose step is one batched product.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F  # noqa: N812

from ser.cache import Cache
from ser.train.config import load_config
from ser.train.loop import DomainSplit, Training
from ser.train.network.encoders import BiLSTM
from ser.train.runs.experiment import resolve
from ser.train.runs.load import encode, load_domains
from ser.train.runs.processes import LARGE_PAGES
from ser.train.runs.request import Request

REPEATS = 5


@click.command()
@click.option("--cache", "folder", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--corpus", default="emodb", show_default=True)
@click.option("--features", default="mfcc,ge2e", show_default=True)
@click.option("--steps", default=30, show_default=True)
@click.option("--cores", default=2, show_default=True)
def main(folder: Path, corpus: str, features: str, steps: int, cores: int) -> None:
    """Steps a second of five repeats together, both ways, for `paper` and `strong`."""
    context = multiprocessing.get_context("spawn")
    os.environ.update(LARGE_PAGES)
    click.echo("| preset | side by side | batched | batched / side by side |")
    click.echo("| --- | ---: | ---: | ---: |")
    for preset in ("paper", "strong"):
        data = (folder, corpus, features, preset, steps)
        with context.Pool(cores) as pool:
            rates = pool.starmap(_alone, [data] * cores, chunksize=1)
        with context.Pool(1) as pool:
            batched = pool.apply(_batched, (*data, cores))
        beside = sum(rates)
        click.echo(f"| {preset} | {beside:.1f} | {batched:.1f} | {batched / beside:.2f} |")


def _training(folder: Path, corpus: str, features: str, preset: str) -> Training:
    config = load_config(preset, ["augment.noise=0"])
    request = Request("single", [corpus], features.split(","), config, repeats=1)
    experiment = resolve(request, Cache(folder))
    domains = encode(load_domains(Cache(folder), [experiment]), [experiment])
    split = experiment.splits[corpus][0]
    domain = domains[corpus]
    part = DomainSplit(domain, domain.rows(split.train), domain.rows(split.validation))
    spec = experiment.jobs[0].spec
    assert spec is not None
    return Training([part], spec, config, 0)


def _ready(training: Training, count: int) -> list[tuple[Mapping[str, Any], Tensor]]:
    """Batches of 32 utterances, all padded to the same length, standardised; their targets."""
    part = training.splits[0]
    longest = {name: int(f.lengths.max()) for name, f in part.domain.features.items()}
    ready = []
    for number in range(count):
        rows = part.train[torch.arange(32 * number, 32 * number + 32) % len(part.train)]
        batch = {
            name: packed.gather(rows, longest[name])
            for name, packed in part.domain.features.items()
        }
        standard = training.model.standardised(batch, part.domain.corpus)
        ready.append((standard, training.targets[0][rows]))
    return ready


def _loss(model: nn.Module, batch: Mapping[str, Any], targets: Tensor, corpus: str) -> Tensor:
    fused = model.represent(batch, corpus)  # type: ignore[operator]
    return F.cross_entropy(model.classify(fused, corpus), targets)  # type: ignore[operator]


def _rate(step: Callable[[int], object], steps: int) -> float:
    for number in range(3):
        step(number)
    started = time.perf_counter()
    for number in range(steps):
        step(number)
    return steps / (time.perf_counter() - started)


def _alone(folder: Path, corpus: str, features: str, preset: str, steps: int) -> float:
    torch.set_num_threads(1)
    training = _training(folder, corpus, features, preset)
    model, ready = training.model.train(), _ready(training, REPEATS)

    def step(number: int) -> None:
        model.zero_grad(set_to_none=True)
        _loss(model, *ready[number % REPEATS], corpus).backward()  # type: ignore[no-untyped-call]

    return _rate(step, steps)


class _Losses(nn.Module):
    """A model whose call is its loss, as `functional_call` wants it."""

    def __init__(self, model: nn.Module, corpus: str) -> None:
        super().__init__()
        self.model, self.corpus = model, corpus

    def forward(self, batch: Mapping[str, Any], targets: Tensor) -> Tensor:
        return _loss(self.model, batch, targets, self.corpus)


def _batched(
    folder: Path, corpus: str, features: str, preset: str, steps: int, cores: int
) -> float:
    torch.set_num_threads(cores)
    BiLSTM.forward = _unrolled  # type: ignore[method-assign]
    training = _training(folder, corpus, features, preset)
    losses = [_Losses(training.model.train(), corpus) for _ in range(REPEATS)]
    weights, buffers = stack_module_state(losses)
    ready = _ready(training, REPEATS)
    batch = {
        name: tuple(torch.stack([each[name][k] for each, _ in ready]) for k in range(2))
        for name in ready[0][0]
    }
    targets = torch.stack([each for _, each in ready])

    def loss(weights: Any, buffers: Any, batch: Any, targets: Tensor) -> Tensor:
        found: Tensor = functional_call(losses[0], (weights, buffers), (batch, targets))
        return found

    gradients = vmap(grad(loss), randomness="different")
    return REPEATS * _rate(lambda _: gradients(weights, buffers, batch, targets), steps)


def _unrolled(self: BiLSTM, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """What `BiLSTM.forward` gives, in operations that can be batched over models."""
    for ahead, back in zip(self.ahead, self.back, strict=True):
        forward = _steps(ahead, x)
        backward = _steps(back, _flipped(x, lengths))
        x = torch.cat([forward, _flipped(backward, lengths)], dim=-1)
    last = (lengths - 1)[:, None, None].expand(-1, 1, forward.shape[-1])
    return x, torch.cat([forward.gather(1, last), backward.gather(1, last)], dim=-1)[:, 0]


def _flipped(x: Tensor, lengths: Tensor) -> Tensor:
    steps = torch.arange(x.shape[1])
    index = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    return x.gather(1, index[..., None].expand_as(x))


def _steps(lstm: nn.Module, x: Tensor) -> Tensor:
    inputs = x @ lstm.weight_ih_l0.T + (lstm.bias_ih_l0 + lstm.bias_hh_l0)  # type: ignore
    recurrent = lstm.weight_hh_l0.T
    h = c = inputs[:, 0, : inputs.shape[2] // 4] * 0
    outputs = []
    for now in inputs.unbind(1):
        i, f, g, o = (now + h @ recurrent).chunk(4, -1)  # type: ignore
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs, dim=1)


if __name__ == "__main__":
    sys.exit(main())
