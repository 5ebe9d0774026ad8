"""What answers behind the page: a run's models, by the heads that one can choose."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AudioError
from ..manifests.audio import blamed_on_the_file, opened_audio
from ..manifests.containers import Content, find_sound
from ..manifests.decode import Decoder
from ..recognizer import Recognizer
from ..recognizer.heads import OTHER, Heads
from ..recognizer.recognizer import Answer
from ..recognizer.track import HOP, LONGEST, WINDOW, Window
from ..train.network.spec import DomainShape
from ..train.runs.run import Run


class Desk:
    """A run with its models loaded, and the choices of heads that it offers.

    Args:
        run: an opened run.
        device: for the models, as torch names it, or "auto".

    Attributes:
        titles: what each choice is called on the page, by its key.

    Raises:
        InputError: the run has no models.
        MissingPackageError, MissingWeightsError: a backbone is not on this machine.
    """

    def __init__(self, run: Run, device: str = "auto") -> None:
        several = len(run.spec.domains) > 1
        first = Recognizer(run, language=OTHER if several else None, device=device)
        self.run, self.backbones = run, first.backbones
        self.titles: dict[str, str] = {}
        self._recognizers: dict[str, Recognizer] = {OTHER: first}
        for key, title, corpora in _choices(run.spec.domains):
            self.titles[key] = title
            if key not in self._recognizers:
                self._recognizers[key] = first.by_heads(corpora)

    def tell(self, path: Path, choice: str) -> Generator[dict[str, Any], None, None]:
        """What the heads of a choice, one of `titles`, say of a file, as plain values for JSON.

        First an `answer` for all of it, where it is as long as what models are trained on, a minute
        at most; then, of more than one, a `window` after the other; of a longer recording last the
        `answer`: the mean of the windows in which somebody speaks.

        Raises:
            AudioError: (the iterator) it cannot be used from here on; the message is the reason.
        """
        recognizer = self._recognizers[choice]
        seconds = _seconds(path)
        if seconds <= LONGEST:
            try:
                answer = recognizer.answer(recognizer.features(path))
            except AudioError as error:
                raise AudioError(str(error).removeprefix(f"{path}: ")) from error
            yield {"answer": _plain(answer) | {"heads": recognizer.heads.why, "mean": False}}
        if seconds < WINDOW + HOP:
            return
        mean = _Mean(recognizer.heads)
        for window in recognizer.track(path):
            if window.answer:
                mean.add(window.answer)
            yield {"window": _plain_window(window)}
        if seconds > LONGEST:
            yield {"answer": _plain(mean.answer) | {"heads": recognizer.heads.why, "mean": True}}


def _seconds(path: Path) -> float:
    """The length of a recording, or somewhat more than `LONGEST`; raises AudioError."""
    with (
        blamed_on_the_file(),
        opened_audio(path) as (file, size),
        Decoder(find_sound(Content.in_file(file, size))) as decoder,
    ):
        frames = 0
        for block in decoder.blocks(decoder.rate):
            frames += len(block)
            if frames > LONGEST * decoder.rate:
                break
        return frames / decoder.rate


class _Mean:
    """What the windows of a recording say on average, however many they are."""

    def __init__(self, heads: Heads) -> None:
        self._heads, self._count = heads, 0
        self._sums = {corpus: np.zeros(len(heads.told(corpus))) for corpus in heads.corpora}

    def add(self, answer: Answer) -> None:
        """Take one in."""
        self._count += 1
        for corpus, said in answer.by_head.items():
            self._sums[corpus] += list(said.values())

    @property
    def answer(self) -> Answer:
        """The mean of all; raises AudioError where there was none."""
        if not self._count:
            raise AudioError("nobody speaks in it")
        heads = self._heads
        means = {corpus: total / self._count for corpus, total in self._sums.items()}
        by_head = {
            corpus: dict(zip(heads.told(corpus), map(float, mean), strict=True))
            for corpus, mean in means.items()
        }
        return Answer(heads.labels, heads.averaged(means), by_head)


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "emotion": answer.emotion,
        "labels": list(answer.labels),
        "probabilities": [float(value) for value in answer.probabilities],
        "by_head": {corpus: dict(said) for corpus, said in answer.by_head.items()},
    }


def _plain_window(window: Window) -> dict[str, Any]:
    said = window.answer
    return {
        "start": window.start,
        "end": window.end,
        "emotion": said.emotion if said else None,
        "labels": list(said.labels) if said else [],
        "probabilities": [float(value) for value in said.probabilities] if said else [],
        "reason": window.reason,
    }


def _choices(domains: Sequence[DomainShape]) -> Iterator[tuple[str, str, list[str]]]:
    """Key, title and corpora of what can be chosen: all heads, those of a language, each alone."""
    every = [domain.corpus for domain in domains]
    if len(every) > 1:
        yield OTHER, "another language, or not known", every
    by_language = sorted(domains, key=lambda domain: domain.language)
    for language, group in groupby(by_language, lambda domain: domain.language):
        serving = [domain.corpus for domain in group]
        if 1 < len(serving) < len(every):
            yield f"language:{language}", f"{language}: {', '.join(serving)}, averaged", serving
    for domain in domains:
        alone = len(every) == 1
        key = OTHER if alone else f"corpus:{domain.corpus}"
        yield key, f"{domain.language}, as in {domain.corpus}", [domain.corpus]
