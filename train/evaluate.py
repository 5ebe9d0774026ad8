"""What a trained model says of the utterances of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .data import Batch, Domain, ordered_batches
from .metrics import confusion_matrix, unweighted_accuracy
from .network.fusion import Mixture
from .network.recogniser import Recogniser

FRAMES = 1 << 14
"""Evaluated at once. More take longer on a CPU, and a gigabyte of memory."""


def evaluation_batches(domain: Domain, rows: Tensor) -> list[Tensor]:
    """The utterances `rows` cut into batches of similar length."""
    return list(ordered_batches(rows, domain.lengths(), FRAMES))


def probabilities(
    model: Recogniser, domain: Domain, rows: Tensor, batches: Sequence[Tensor] | None = None
) -> Tensor:
    """Softmax outputs of the utterances `rows`, in their order: (len(rows), labels), on the host.

    `batches` holds the same utterances, cut as is convenient.
    """
    return _apply(
        model, domain, rows, lambda batch: model(batch, domain.corpus).softmax(-1), batches
    )


def representations(model: Recogniser, domain: Domain, rows: Tensor) -> Tensor:
    """What enters the tower for the utterances `rows`: (len(rows), d), on the host."""

    def represent(batch: Batch) -> Tensor:
        return model.represent(model.standardised(batch, domain.corpus), domain.corpus)

    return _apply(model, domain, rows, represent)


def validation_ua(
    model: Recogniser, domain: Domain, rows: Tensor, batches: Sequence[Tensor]
) -> float:
    """UA of the model on the utterances `rows`."""
    predicted = probabilities(model, domain, rows, batches).argmax(-1)
    truth = domain.targets[rows.to(domain.targets.device)].cpu()
    return unweighted_accuracy(
        confusion_matrix(truth.numpy(), predicted.numpy(), len(domain.labels))
    )


def structure(model: Recogniser, domain: Domain, rows: Tensor) -> dict[str, Any]:
    """How the model fuses the features of a corpus, as plain values.

    Returns:
        "gate": the mean weight of every feature over the utterances `rows`; "connections": the
        matrix xi of the architecture search, row i the inputs of the i-th gated representation.
        Either is missing where the method has none.
    """
    fusion = model.fusion
    found: dict[str, Any] = {}
    if not isinstance(fusion, Mixture):
        return found
    language, selector = model.spec.domain(domain.corpus).language, model.spec.selector
    gate, connection = fusion.gate(language), fusion.connection(language)
    if gate is not None and selector is not None:

        def weigh(batch: Batch) -> Tensor:
            weights: Tensor = gate(model.standardised(batch, domain.corpus)[selector.name][0])
            return weights

        mean = _apply(model, domain, rows, weigh).mean(0).tolist()
        found["gate"] = dict(zip((shape.name for shape in model.spec.features), mean, strict=True))
    if connection is not None:
        found["connections"] = connection.settled().tolist()
    return found


def _apply(
    model: Recogniser,
    domain: Domain,
    rows: Tensor,
    call: Callable[[Batch], Tensor],
    batches: Sequence[Tensor] | None = None,
) -> Tensor:
    """One row per utterance of what `call` makes of a batch, in evaluation mode, on the host."""
    batches = evaluation_batches(domain, rows) if batches is None else batches
    model.eval()
    with torch.inference_mode():
        found = torch.cat([call(domain.batch(chosen)) for chosen in batches]).cpu()
    result = torch.empty(len(domain.ids), found.shape[1])
    result[torch.cat(list(batches))] = found
    return result[rows]
