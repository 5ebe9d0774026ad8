"""The networks of a job, trained, calibrated and tested."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...machine import exact_float32
from ...manifests import Split
from ..calibration import fit_temperature
from ..evaluate import answers_of_heads, probabilities, structure
from ..loop import DomainSplit, EpochDone, Fitted, fit
from ..network.ensemble import Ensemble, tempered
from .curves import Trained
from .jobs import Domains, Job, Outcome, Prediction
from .software import processor
from .splits import corpora_tested, corpora_trained

MEMBER_SEEDS = 1000
"""Distance between the seeds of the members of one repeat."""

SHIFTS = 100 * MEMBER_SEEDS
"""Distance between the seeds of one member by train.seed; a repeat has at most 100 members."""


@exact_float32()
def run_network(
    domains: Domains, job: Job, epoch_done: EpochDone = lambda validation: None
) -> Outcome:
    """Train every member on the training parts, choose and calibrate by validation, train it anew
    on both where it is to be refitted, predict the test parts by the mean of the members.

    Args:
        domains: with the features in the encoding that the job takes.
    """
    started = time.perf_counter()
    assert job.spec is not None
    assert job.config is not None
    device = next(iter(domains.values())).device
    perturbed = {
        corpus: domains[corpus].only(job.reads).perturbed_by(job.config.augment.perturbations)
        for corpus in corpora_trained(job.splits)
    }
    domains = {corpus: domains[corpus].only(job.reads).perturbed_by(()) for corpus in job.splits}
    tests = {c: domains[c].rows(job.splits[c].test) for c in corpora_tested(job.splits)}
    parts = [(domain, job.splits[corpus]) for corpus, domain in perturbed.items()]
    subsets = [
        DomainSplit(domain, domain.rows(split.train), domain.rows(split.validation))
        for domain, split in parts
    ]
    known = [domain.corpus for domain, _ in parts]

    def train(parts: Sequence[DomainSplit], epochs: Mapping[int, int]) -> dict[int, Fitted]:
        fitted: dict[int, Fitted] = {}
        for seed in seeds:
            like = fitted[seeds[0]].model if fitted else None
            stop = epochs.get(seed)
            fitted[seed] = fit(parts, spec, config, seed, epoch_done, job.method, stop, like)
        return fitted

    spec, config = job.spec, job.config
    seeds = [member_seed(job.place[0], n, config.train.seed) for n in range(job.members)]
    chosen = final = train(subsets, {})
    temperatures: dict[str, float] = {}
    if job.calibrated:
        held_out = Ensemble([fitted.model for fitted in chosen.values()])
        temperatures = {each.domain.corpus: _temperature(held_out, each) for each in subsets}
    if config.train.refit:
        epochs = {seed: fitted.epoch for seed, fitted in chosen.items()}
        final = train([_whole(part) for part in subsets], epochs)
    weights: list[Mapping[str, NDArray[Any]]] = []
    history: list[Trained] = []
    for seed, fitted in chosen.items():
        model = final[seed].model
        state = model.state_dict()
        weights.append({name: value.cpu().numpy() for name, value in state.items()})
        structures = {
            corpus: structure(model, domains[corpus], rows)
            for corpus, rows in tests.items()
            if corpus in known
        }
        history.append(Trained(seed, fitted.epoch, fitted.losses, fitted.validation, structures))
    ensemble = Ensemble([fitted.model for fitted in final.values()])
    predictions = {}
    for corpus, rows in tests.items():
        domain, split = domains[corpus], job.splits[corpus]
        if corpus in known:
            mean = probabilities(ensemble, domain, rows)
            predictions[corpus] = _prediction(split, mean, temperatures.get(corpus))
        else:
            before = answers_of_heads(ensemble, domain, rows, {})
            after = answers_of_heads(ensemble, domain, rows, temperatures)
            predictions[corpus] = _of_heads(split, before, after, job.calibrated)
    return Outcome(
        *job.place,
        predictions,
        weights,
        history,
        temperatures,
        seconds=time.perf_counter() - started,
        processor=processor(device),
    )


def _whole(part: DomainSplit) -> DomainSplit:
    """All that a model may be trained on once nothing is left to choose."""
    rows = torch.cat([part.train, part.validation])
    return DomainSplit(part.domain, rows.sort().values, rows[:0])


def _temperature(ensemble: Ensemble, split: DomainSplit) -> float:
    """Of a corpus, by its validation part."""
    said = probabilities(ensemble, split.domain, split.validation)
    return fit_temperature(said.numpy(), split.domain.truth(split.validation).numpy())


def _prediction(split: Split, mean: Tensor, temperature: float | None) -> Prediction:
    """By the mean over the members, (n_test, labels)."""
    predicted = mean.argmax(-1)
    if temperature is None:
        return Prediction(split, predicted.numpy(), mean.numpy())
    before = mean.gather(1, predicted[:, None])[:, 0]
    return Prediction(split, predicted.numpy(), tempered(mean, temperature).numpy(), before.numpy())


def _of_heads(split: Split, before: Tensor, after: Tensor, calibrated: bool) -> Prediction:
    """By what the heads of other corpora say, before they are calibrated and after, (n_test,
    labels)."""
    predicted = after.argmax(-1)
    stated = before.gather(1, predicted[:, None])[:, 0].numpy() if calibrated else None
    return Prediction(split, predicted.numpy(), after.numpy(), stated)


def member_seed(repeat: int, member: int, shift: int) -> int:
    """Of the initial weights, the order and the noise of a member.

    No two members of a repeat, by whatever `shift` (train.seed), share one, and no two repeats of
    seeds below 1000 do. It fits into the 32 bits that torch's generator looks at.
    """
    return repeat + MEMBER_SEEDS * member + SHIFTS * shift
