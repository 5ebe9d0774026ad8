"""Which heads of a run answer for a sound, and what they say together.

A run has one head per corpus that it was trained on: the emotions of that corpus, told by the part
of the model that belongs to its language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from ..manifests.names import language_tag
from ..manifests.vocabulary import SYNONYMS, normalise
from ..train.network.spec import DomainShape, ModelSpec

OTHER = "other"
"""The language of sounds that no head is for: all heads answer."""

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Heads:
    """The heads that answer.

    Attributes:
        domains: their corpora, in the order of the run.
        why: how they were chosen, as a sentence for people.
        labels: what can be answered: all emotions that a head knows, in the order of the run, or
            those of them that were asked for.
    """

    domains: tuple[DomainShape, ...]
    why: str
    labels: tuple[str, ...]

    @property
    def corpora(self) -> tuple[str, ...]:
        """The names of their corpora."""
        return tuple(domain.corpus for domain in self.domains)

    def told(self, corpus: str) -> tuple[str, ...]:
        """What the head of a corpus can answer."""
        (domain,) = (domain for domain in self.domains if domain.corpus == corpus)
        return tuple(label for label in self.labels if label in domain.labels)

    def restricted(self, said: Mapping[str, NDArray[np.floating]]) -> dict[str, Probabilities]:
        """What every head says of the labels that it can answer; they sum to 1.

        Args:
            said: by corpus, the probabilities of all its emotions, in the order of its labels.

        Returns:
            By corpus, (labels of `told`,).
        """
        found = {}
        for domain in self.domains:
            whole = dict(zip(domain.labels, map(float, said[domain.corpus]), strict=True))
            found[domain.corpus] = _shares([whole[label] for label in self.told(domain.corpus)])
        return found

    def averaged(self, said: Mapping[str, Probabilities]) -> Probabilities:
        """The one answer of all heads: their mean, in which a head that does not know a label says
        0 of it. docs/prediction.md has what that does.

        Args:
            said: as `restricted` gives it.

        Returns:
            In the order of `labels`, (labels,); they sum to 1.
        """
        total = np.zeros(len(self.labels))
        for corpus, probabilities in said.items():
            total[[self.labels.index(label) for label in self.told(corpus)]] += probabilities
        return total / len(said)


def choose(
    spec: ModelSpec,
    corpora: Sequence[str] = (),
    language: str | None = None,
    labels: Sequence[str] = (),
) -> Heads:
    """The heads for sounds that are like those of some corpora, or that are in some language.

    Without either, the one head that there is, or all of them. A language without a country stands
    for all countries, and one that no head is for is an error: `other` asks for all heads.

    Args:
        labels: the only emotions that are to be answered; none: all. A head that knows one of them
            alone has nothing to choose among, and no say.

    Raises:
        InputError: no such corpus, no head for the language, both are given, no head knows one of
            the labels, there is only one, or no head knows two of them.
    """
    domains, why = _chosen(spec, corpora, language)
    known = tuple(label for label in spec.labels if any(label in d.labels for d in domains))
    wanted = _wanted(labels, known) if labels else known
    if not labels:
        return Heads(domains, why, wanted)
    able = tuple(domain for domain in domains if len({*domain.labels} & {*wanted}) > 1)
    told = tuple(label for label in wanted if any(label in domain.labels for domain in able))
    if told != wanted:
        raise InputError(
            f"--labels {','.join(wanted)}: no head that knows "
            f"{' or '.join(label for label in wanted if label not in told)} "
            "knows another of them, to choose among"
        )
    if mute := [domain.corpus for domain in domains if domain not in able]:
        why += f"; without {' and '.join(mute)}, which cannot choose among these labels"
    return Heads(able, why, wanted)


def _chosen(
    spec: ModelSpec, corpora: Sequence[str], language: str | None
) -> tuple[tuple[DomainShape, ...], str]:
    every = spec.domains
    if corpora and language:
        raise InputError("--corpus or --language: either chooses the heads, not both")
    if corpora:
        for corpus in corpora:
            if corpus not in (names := [domain.corpus for domain in every]):
                raise InputError(
                    f"--corpus {corpus}: the run has no head for it"
                    f"{did_you_mean(corpus, names)}; {_heads_there(every)}"
                )
        chosen = tuple(domain for domain in every if domain.corpus in corpora)
        return chosen, _sentence(chosen, "as was asked for")
    if language:
        tag = language_tag(language)
        if tag == OTHER:
            return every, _sentence(every, f"for a language that is {OTHER}")
        chosen = _serving(every, tag)
        if not chosen:
            raise InputError(
                f"--language {language}: the run has no head for it; {_heads_there(every)}; "
                f"--language {OTHER} averages all of them"
            )
        heads = "one head serves" if len(chosen) == 1 else f"{len(chosen)} heads serve"
        return chosen, _sentence(chosen, f"{heads} {tag}")
    if len(every) == 1:
        return every, _sentence(every, "the run has no other")
    return every, _sentence(every, "no corpus and no language was given")


def _serving(domains: Sequence[DomainShape], tag: str) -> tuple[DomainShape, ...]:
    """Those of a language: of that country, or else of the language in any."""
    exact = tuple(domain for domain in domains if domain.language == tag)
    base = tag.partition("-")[0]
    return exact or tuple(d for d in domains if d.language.partition("-")[0] == base)


def _wanted(labels: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Labels that a user asks for, in the order of the run."""
    wanted = set()
    for label in labels:
        name = label if label in known else normalise(label)
        name = name if name in known else SYNONYMS.get(name, name)
        if name not in known:
            raise InputError(
                f"--labels {label}: no head knows it{did_you_mean(name, known)}; known: "
                f"{', '.join(known)}"
            )
        wanted.add(name)
    if len(wanted) == 1:
        raise InputError(f"--labels {wanted.pop()}: expected at least two, to choose among")
    return tuple(label for label in known if label in wanted)


def _shares(values: Sequence[float]) -> Probabilities:
    """Divided by their sum; equal ones where that is zero, in rounding."""
    array = np.asarray(values, np.float64)
    total = array.sum()
    return array / total if total else np.full(len(array), 1 / len(array))


def _sentence(domains: Sequence[DomainShape], reason: str) -> str:
    what = "head" if len(domains) == 1 else "heads"
    averaged = "" if len(domains) == 1 else ", averaged"
    return f"{what} {_listed(domains)}{averaged}: {reason}"


def _heads_there(domains: Sequence[DomainShape]) -> str:
    return f"there {'is' if len(domains) == 1 else 'are'} {_listed(domains)}"


def _listed(domains: Sequence[DomainShape]) -> str:
    return ", ".join(f"{domain.corpus} ({domain.language})" for domain in domains)
