"""What answers behind the page: a run's models, by the heads that one can choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypedDict

from ..errors import AudioError
from ..recognizer import Recognizer
from ..recognizer.heads import OTHER
from ..train.network.spec import DomainShape
from ..train.runs.run import Run


class Said(TypedDict):
    """What is said of a sound, as the page gets it.

    `probabilities` are of `labels` and sum to 1; `heads` says in a sentence which answered, and
    `by_head` what each says alone: by corpus the probability of every label that it knows.
    """

    emotion: str
    labels: list[str]
    probabilities: list[float]
    heads: str
    by_head: dict[str, dict[str, float]]


class Desk:
    """A run with its models loaded, and the choices of heads that it offers.

    Args:
        run: an opened run.
        device: for the models, as torch names it, or "auto".

    Raises:
        InputError: the run has no models.
        MissingPackageError, MissingWeightsError: a backbone is not on this machine.
    """

    def __init__(self, run: Run, device: str = "auto") -> None:
        several = len(run.spec.domains) > 1
        first = Recognizer(run, language=OTHER if several else None, device=device)
        backbones = list(first.backbones.values())
        self.recognizers: dict[str, Recognizer] = {OTHER: first}
        self.titles: dict[str, str] = {}
        for key, title, corpora in _choices(run.spec.domains):
            self.titles[key] = title
            if key not in self.recognizers:
                self.recognizers[key] = Recognizer(run, corpora, backbones=backbones, device=device)
        self.backbones = first.backbones

    def recognise(self, path: Path, choice: str) -> Said:
        """What the heads of a choice, one of `titles`, say of a file.

        Raises:
            AudioError: it cannot be used; the message is the reason, without the path.
        """
        recognizer = self.recognizers[choice]
        try:
            answer = recognizer.answer(recognizer.features(path))
        except AudioError as error:
            raise AudioError(str(error).removeprefix(f"{path}: ")) from error
        return Said(
            emotion=answer.emotion,
            labels=list(answer.labels),
            probabilities=[float(value) for value in answer.probabilities],
            heads=recognizer.heads.why,
            by_head={corpus: dict(said) for corpus, said in answer.by_head.items()},
        )


def _choices(domains: Sequence[DomainShape]) -> Iterator[tuple[str, str, list[str]]]:
    """Key, title and corpora of what can be chosen: all heads, those of a language, each alone."""
    every = [domain.corpus for domain in domains]
    if len(every) > 1:
        yield OTHER, "another language, or not known: all heads, averaged", every
    by_language = sorted(domains, key=lambda domain: domain.language)
    for language, group in groupby(by_language, lambda domain: domain.language):
        serving = [domain.corpus for domain in group]
        if 1 < len(serving) < len(every):
            yield f"language:{language}", f"{language}: {', '.join(serving)}, averaged", serving
    for domain in domains:
        alone = len(every) == 1
        key = OTHER if alone else f"corpus:{domain.corpus}"
        yield key, f"{domain.language}, as in {domain.corpus}", [domain.corpus]
