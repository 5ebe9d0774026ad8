"""From what is asked for to a description of a model, and from that to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ..errors import InputError
from ..manifests.vocabulary import ordered
from .config import Config
from .methods import METHODS, Method
from .network.spec import SHARED, DomainShape, FeatureShape, ModelSpec, module_name

if TYPE_CHECKING:
    from .network.recogniser import Recogniser


class Corpus(Protocol):
    """What a model must know of a corpus, as a manifest says it."""

    @property
    def corpus(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...


def make_spec(
    method: Method,
    features: Sequence[str],
    shapes: Mapping[str, FeatureShape],
    corpora: Sequence[Corpus],
    config: Config,
) -> ModelSpec:
    """What a model of a method is made of. Imports no torch.

    Args:
        features: names of those that are fused.
        shapes: of all that are read, by name.

    Raises:
        InputError: the method is a system that is for another feature.
    """
    if method.reads is not None:
        method.reads.check(method.name, [shapes[name] for name in features])
    return ModelSpec(
        method=method.name,
        features=tuple(shapes[name] for name in features),
        selector=shapes[config.gate.selector] if method.gated else None,
        domains=tuple(
            DomainShape(
                domain.corpus,
                domain.language,
                domain.labels,
                SHARED if method.shared_tower else module_name(domain.language),
            )
            for domain in corpora
        ),
        labels=ordered(label for domain in corpora for label in domain.labels),
        finetune_ge2e=config.train.finetune_ge2e,
        model=config.model,
        gate=config.gate,
        search=config.search,
    )


def build(spec: ModelSpec, method: Method | None = None) -> Recogniser:
    """The model of a spec, with initial weights.

    Args:
        method: that of the spec; None: the one known by its name.

    Raises:
        InputError: there is no such method, or it does not go with the spec.
    """
    from .network.recogniser import Recogniser

    method = method or METHODS.find(spec.method)
    if not method.network or method.gated != (spec.selector is not None):
        raise InputError(f"the method {method.name} does not go with its features and selector")
    if method.system is not None:
        return Recogniser(spec, system=method.make_system)
    if not spec.finetune_ge2e:
        return Recogniser(spec, method.make_fusion)
    from ..ge2e.encoder import SpeakerEncoder

    return Recogniser(spec, method.make_fusion, SpeakerEncoder)
