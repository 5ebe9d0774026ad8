"""What a table or figure of the paper consists of: experiments, and what is made of their runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ..cache import Cache
from ..errors import InputError
from ..train.runs.experiment import Experiment
from ..train.runs.request import Request
from ..train.runs.results import Metrics
from ..train.runs.run import Run
from .published import PAPER_CORPORA


@dataclass(frozen=True)
class Result:
    """A finished experiment.

    Attributes:
        metrics: from its predictions, which are all that is believed.
    """

    experiment: Experiment
    run: Run
    metrics: Metrics


Results = Mapping[str, Result]
"""By the names of the experiments."""


class Plan(ABC):
    """A table or figure of the paper.

    Attributes:
        name: as on the command line.
        fewest: corpora that it needs.
        drawn: whether it is a figure.
    """

    name: ClassVar[str]
    fewest: ClassVar[int] = 1
    drawn: ClassVar[bool] = False

    @abstractmethod
    def requests(self, common: Request) -> dict[str, Request]:
        """The experiments by the names of their run folders.

        Args:
            common: what they have in common: corpora, features, settings, protocol, ...

        Raises:
            InputError: it asks for what the plan cannot have.
        """

    def lacking(self, requests: Mapping[str, Request], cache: Cache) -> dict[str, str]:
        """Those of its experiments that it does without, as the cache has not what they read, and
        why; none: that is an error."""
        return {}

    def changes(self, common: Request) -> Sequence[str]:
        """Settings that are not as a preset has them."""
        return common.config.changes

    @abstractmethod
    def values(self, common: Request, cache: Cache, results: Results) -> dict[str, Any]:
        """What there is to say, as plain values.

        Args:
            results: by the names of `requests`.

        Raises:
            InputError: a run does not say what it should.
        """

    @abstractmethod
    def markdown(self, values: Mapping[str, Any]) -> str:
        """The same for people; `values` has what `describe` says too."""

    def draw(self, values: Mapping[str, Any], path: Path) -> None:
        """Write a figure as PNG."""
        raise NotImplementedError

    def default_corpora(self, cached: Sequence[str]) -> list[str]:
        """The corpora where nobody says: the paper's, as far as they are cached."""
        return [corpus for corpus in PAPER_CORPORA if corpus in cached]


def one_corpus(common: Request, setting: str, corpus: str) -> Request:
    """An experiment on one of the corpora."""
    return replace(common, setting=setting, corpora=[corpus], method="")


def several_corpora(common: Request, method: str) -> Request:
    """An experiment on all corpora together."""
    return replace(common, setting="multidomain", method=method)


def choose_corpora(plan: Plan, common: Request, cache: Cache) -> Request:
    """The request with its corpora named, the paper's as far as they are cached.

    Raises InputError if there are too few.
    """
    if common.corpora:
        return common
    known = cache.corpora()
    chosen = plan.default_corpora(known)
    if len(chosen) < plan.fewest:
        others = f", such as --corpus {','.join(known)}" if len(known) >= plan.fewest else ""
        raise InputError(
            f"of the paper's corpora ({', '.join(PAPER_CORPORA)}) the cache {cache} has "
            f"{', '.join(chosen) or 'none'}; extract them, or name others{others}"
        )
    return replace(common, corpora=chosen)


def describe(plan: Plan, common: Request, command: str) -> dict[str, Any]:
    """What every table and figure says of itself.

    Args:
        command: what was typed.
    """
    return {
        "what": plan.name,
        "command": command,
        "features": list(common.features),
        "preset": common.config.preset,
        "changes": list(plan.changes(common)),
        "protocol": common.protocol,
        "folds": common.folds,
        "repeats": common.repeats,
        "map": common.label_map.plain if common.label_map else None,
        "skip_missing": common.skip_missing,
        "corpora": list(common.corpora),
    }


def path_name(feature: str) -> str:
    """A feature's name as a part of a file's name, such as `hf-wavlm_layer-9`."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in feature)


def default_out(common: Request) -> Path:
    """Where all tables and figures of a preset go; what they have in common is trained once."""
    features = "+".join(map(path_name, common.features))
    protocol = path_name(common.protocol)
    folds = f"-{common.folds}-folds" if common.folds is not None else ""
    labels = f"-{path_name(Path(common.label_map.name).stem)}" if common.label_map else ""
    preset = Path(common.config.preset).stem
    return Path("reproduced") / f"{preset}-{protocol}{folds}-{features}{labels}"
