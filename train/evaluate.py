"""What a trained model says of the utterances of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cache import FeatureKey
from ..machine import inference
from .batches import ordered_batches
from .data import Domain, Packed, as_tensors, send
from .encoding import Encoding
from .metrics import confusion_matrix, unweighted_accuracy
from .network.ensemble import Ensemble, tempered
from .network.recogniser import Batch, Recogniser
from .network.settings import LEAST
from .speakers import Heard

FRAMES = 1 << 14
"""Evaluated at once. More take longer on a CPU, and a gigabyte of memory."""


def evaluation_batches(domain: Domain, rows: Tensor) -> list[Tensor]:
    """The utterances `rows` cut into batches of similar length."""
    return list(ordered_batches(rows, domain.lengths(), FRAMES))


def probabilities(
    model: Recogniser | Ensemble,
    domain: Domain,
    rows: Tensor,
    batches: Sequence[Tensor] | None = None,
) -> Tensor:
    """Of the emotions of the utterances `rows`, in their order: (len(rows), labels), on the host.

    Args:
        domain: in the encoding that the model takes; its emotions need not be known.
        batches: the same utterances, cut as is convenient.
    """
    return _apply(model, domain, rows, model.probabilities, batches)


def answers_of_heads(
    model: Ensemble, domain: Domain, rows: Tensor, temperatures: Mapping[str, float]
) -> Tensor:
    """What a model says of a corpus that it was not trained on: the mean over its heads, one for
    each corpus of its spec, (len(rows), labels of the domain), on the host.

    A head says what its tower does, p = softmax of all that the tower knows, and of that the labels
    in common, divided by their sum: q_l = p_l / sum_k p_k, and 0 for a label that it does not know.
    A head that knows fewer than two of them has no say.

    Args:
        domain: its labels are known to one head at least, two of them to one.
        temperatures: by corpus of the spec; p is that of the mean of the members, so tempered.
    """
    members, spec = model.recognisers, model.spec
    heads = {head.corpus: spec.tower_labels(head.tower) for head in spec.domains}
    total, having = torch.zeros(len(rows), len(domain.labels)), 0
    for corpus, labels in heads.items():
        known = [label for label in domain.labels if label in labels]
        if len(known) < MIN_LABELS:
            continue
        said = torch.stack([_tower(member, domain, rows, corpus) for member in members]).mean(0)
        if corpus in temperatures:
            said = tempered(said, temperatures[corpus])
        said = said[:, [labels.index(label) for label in known]]
        share = said / said.sum(-1, keepdim=True).clamp(min=LEAST)
        total[:, [domain.labels.index(label) for label in known]] += share
        having += 1
    return total / having


MIN_LABELS = 2
"""Of a head that has something to choose among."""


def _tower(model: Recogniser, domain: Domain, rows: Tensor, corpus: str) -> Tensor:
    """Probabilities of all labels of the tower of a corpus, for utterances of another."""

    def classify(batch: Batch, _: str) -> Tensor:
        fused = model.represent(model.standardised(batch, corpus), corpus)
        return model.classify(fused, corpus).softmax(-1)

    return _apply(model, domain, rows, classify)


def probabilities_of_one(
    model: Ensemble,
    features: Mapping[str, NDArray[Any]],
    keys: Mapping[str, FeatureKey],
    encoding: Encoding,
    corpora: Sequence[str],
    heard: Mapping[str, Heard] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """What a model says of one utterance as if it were of each of some corpora: by corpus, the
    probability of each of its emotions, (labels,).

    Args:
        features: as a cache holds them, by name: (frames, dim) or (dim,).
        keys: of all features that the model reads.
        encoding: that the model takes them in.
        heard: by feature, what is known of its speaker, if anything.
    """
    packed = {name: Packed.of([features[name]], key.backbone) for name, key in keys.items()}
    like = model.spec.domain(corpora[0])
    domain = Domain(like.corpus, like.language, like.labels, ("one",), ("",), packed)
    domain = domain.encoded(encoding)
    if heard:
        domain = replace(domain, heard={name: as_tensors(of) for name, of in heard.items()})
    device = next(model.parameters()).device
    with inference(device):
        batch = domain.to(device).batch(torch.tensor([0]))
        return {corpus: model(batch, corpus)[0].cpu().numpy() for corpus in corpora}


def representations(model: Recogniser, domain: Domain, rows: Tensor) -> Tensor:
    """What enters the tower for the utterances `rows`: (len(rows), d), on the host."""

    def represent(batch: Batch, corpus: str) -> Tensor:
        return model.represent(model.standardised(batch, corpus), corpus)

    return _apply(model, domain, rows, represent)


Inputs = Callable[[Tensor], Batch]
"""Rows of the utterances of a domain -> a batch of them, standardised."""

AT_ONCE = 1 << 10
"""Utterances whose vectors are standardised together."""


def standardised(model: Recogniser, domain: Domain) -> Inputs:
    """Batches of a domain as the encoders take them. Where all inputs are vectors, and nothing
    before them is trained, they are standardised once and for all."""
    sequences = any(shape.sequence for shape in model.spec.inputs)
    if sequences or model.speaker is not None or domain.mapped:
        return lambda rows: model.standardised(domain.batch(rows), domain.corpus)
    pieces = [
        model.standardised(domain.batch(rows), domain.corpus)
        for rows in torch.split(domain.all_versions(torch.arange(len(domain.ids))), AT_ONCE)
    ]
    whole = {name: torch.cat([piece[name][0] for piece in pieces]) for name in pieces[0]}

    def batch(rows: Tensor) -> Batch:
        chosen = send(rows, domain.device)
        return {name: (values[chosen], torch.ones_like(chosen)) for name, values in whole.items()}

    return batch


def validation_ua(
    model: Recogniser, domain: Domain, inputs: Inputs, batches: Sequence[Tensor]
) -> float:
    """UA of the model on utterances of a domain, cut into batches."""
    model.eval()
    with torch.inference_mode():
        told = [model.told(inputs(rows), domain.corpus).argmax(-1).cpu() for rows in batches]
    truth = domain.truth(torch.cat(list(batches)))
    counts = confusion_matrix(truth.numpy(), torch.cat(told).numpy(), len(domain.labels))
    return unweighted_accuracy(counts)


def structure(model: Recogniser, domain: Domain, rows: Tensor) -> dict[str, Any]:
    """How the model fuses the features of a corpus, as plain values.

    Returns:
        "gate": the mean weight of every feature over the utterances `rows`, where there are gates;
        and what else the fusion says, such as "connections".
    """
    spec, said = model.spec, {}
    if spec.selector is not None:
        means = _apply(model, domain, rows, model.weights).mean(0).tolist()
        if means:
            said["gate"] = dict(zip((shape.name for shape in spec.features), means, strict=True))
    return {**said, **model.fusion.structure(spec.domain(domain.corpus).language)}


def _apply(
    model: Recogniser | Ensemble,
    domain: Domain,
    rows: Tensor,
    call: Callable[[Batch, str], Tensor],
    batches: Sequence[Tensor] | None = None,
) -> Tensor:
    """One row per utterance of what `call` makes of a batch, in evaluation mode, on the host."""
    batches = evaluation_batches(domain, rows) if batches is None else batches
    model.eval()
    with torch.inference_mode():
        values = torch.cat([call(domain.batch(chosen), domain.corpus) for chosen in batches]).cpu()
    result = torch.empty(len(domain.ids), values.shape[1])
    result[torch.cat(list(batches))] = values
    return result[rows]
