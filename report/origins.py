"""What a run was made from, and under which terms: corpora, features, weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..manifests import CORPORA
from .subject import Subject, one_line

UNKNOWN = "not known here"


@dataclass(frozen=True)
class CorpusOrigin:
    """A corpus that was trained on, or tested on alone."""

    name: str
    title: str
    language: str
    utterances: int
    left_out: int
    emotions: tuple[str, ...]
    licence: str
    url: str


@dataclass(frozen=True)
class FeatureOrigin:
    """A feature that was read.

    Attributes:
        version: short hash of its key.
        weights: first digits of their SHA-256; blank without any.
        licence: of the software and the weights that computed it.
    """

    name: str
    version: str
    shape: str
    backbone: str
    weights: str
    parameters: str
    licence: str


def corpora(shown: Sequence[Subject], tested: bool = False) -> list[CorpusOrigin]:
    """Those that all runs were trained on, or tested on, each once."""
    found: dict[str, CorpusOrigin] = {}
    for subject in shown:
        config = subject.run.config
        for name, record in (config.tested if tested else config.corpora).items():
            known = CORPORA.get(name)
            found.setdefault(
                name,
                CorpusOrigin(
                    name,
                    known.title if known and known.title else "a corpus of one's own",
                    one_line(record.language),
                    record.utterances,
                    len(record.skipped),
                    tuple(map(one_line, record.labels)),
                    known.licence if known and known.licence else UNKNOWN,
                    known.url if known else "",
                ),
            )
    return list(found.values())


def features(shown: Sequence[Subject], terms: Mapping[str, str]) -> list[FeatureOrigin]:
    """Those of all runs, each version once.

    Args:
        terms: the licences of features by the hash of their key, or else by their name.
    """
    found: dict[str, FeatureOrigin] = {}
    for subject in shown:
        for name, key in subject.run.config.keys.items():
            found.setdefault(
                key.hash,
                FeatureOrigin(
                    one_line(name),
                    key.hash[:8],
                    f"frames x {key.dim}" if key.kind == "sequence" else f"{key.dim}",
                    f"{one_line(key.backbone)}, version {key.version}",
                    one_line(key.weights or "")[:12],
                    ", ".join(f"{one_line(n)}={v}" for n, v in key.parameters.items()),
                    one_line(terms.get(key.hash) or terms.get(name) or UNKNOWN),
                ),
            )
    return list(found.values())


_RESTRICTED = re.compile(r"research|non-?commercial|not for commercial|\bNC\b", re.IGNORECASE)
_COPYLEFT = re.compile(r"\bA?GPL\b", re.IGNORECASE)


def inherited(data: Sequence[CorpusOrigin], computed: Sequence[FeatureOrigin]) -> list[str]:
    """What whoever uses or passes on the models takes over, in sentences."""
    of = [(f"the corpus {each.name}", each.licence) for each in data]
    of += [(f"the feature {each.name}", each.licence) for each in computed]
    restricted = [name for name, licence in of if _RESTRICTED.search(licence)]
    copyleft = [name for name, licence in of if _COPYLEFT.search(licence)]
    unknown = [name for name, licence in of if licence == UNKNOWN]
    said = []
    if restricted:
        said.append(f"Not for commercial use, by the terms of {_and(restricted)}.")
    if copyleft:
        said.append(
            f"GPL, by {_and(copyleft)}: what is given to others together with it falls under the "
            "GPL too."
        )
    if unknown:
        said.append(f"Terms that are not known here: {_and(unknown)}. Ask whoever made them.")
    if not said:
        said.append("None of the terms above forbids commercial use; some ask to be named.")
    return said


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
