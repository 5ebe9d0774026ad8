"""What was said of a file, as text: a row of a table, of a CSV file, or a line of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .recognizer import Answer
from .sources import Source

UNSURE = "unsure"
"""The answer where no emotion is probable enough."""

FORMS = ("table", "csv", "jsonl")

_WIDEST = 60
"""Characters of a name in a table, for which room is kept."""

_NEXT = 2
"""Emotions that a table has after the first."""


class Stretch(Protocol):
    """A part of a recording: from and to which second it goes, and how much of it is speech."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def speech(self) -> float: ...


class Form(Protocol):
    """One way to write answers."""

    header: str

    def line(self, source: Source, answer: Answer | None, stretch: Stretch | None = None) -> str:
        """What is written of a file or a stretch of it, with a line end; no answer is told where
        there is none."""


def make_form(
    name: str,
    labels: Sequence[str],
    *,
    unsure: float = 0,
    ids: bool = False,
    stretches: bool = False,
    widest: int = 0,
) -> Form:
    """The form of a name of `FORMS`.

    Args:
        labels: that can be answered.
        unsure: the probability below which the answer is "unsure".
        ids: whether there are ids of a list.
        stretches: whether lines are of stretches of files.
        widest: characters of the longest name of a file.
    """
    if name == "csv":
        return Csv(labels, unsure, ids, stretches)
    if name == "jsonl":
        return JsonLines(unsure, ids)
    return Table(labels, unsure, stretches, widest)


def told(answer: Answer, unsure: float) -> str:
    """The emotion, or that there is none."""
    return answer.emotion if answer.probability >= unsure else UNSURE


class Csv:
    """`file`, where lists have it `id`, of stretches `start`, `end` and `speech`, then `emotion`,
    `probability`, and `p_<label>` for every label; the probability is that of the best label."""

    def __init__(self, labels: Sequence[str], unsure: float, ids: bool, stretches: bool) -> None:
        self._labels, self._unsure, self._ids = labels, unsure, ids
        names = (
            *(("id",) if ids else ()),
            *(("start", "end", "speech") if stretches else ()),
            *("emotion", "probability"),
        )
        self.header = _csv_row(["file", *names, *(f"p_{label}" for label in labels)])

    def line(self, source: Source, answer: Answer | None, stretch: Stretch | None = None) -> str:
        cells = [source.name, source.id] if self._ids else [source.name]
        if stretch:
            cells += [f"{stretch.start:.3f}", f"{stretch.end:.3f}", f"{stretch.speech:.3f}"]
        if answer is None:
            return _csv_row([*cells, *[""] * (2 + len(self._labels))])
        numbers = [f"{p:.6f}" for p in (answer.probability, *answer.probabilities)]
        return _csv_row([*cells, told(answer, self._unsure), *numbers])


class JsonLines:
    """An object a line: `file`, where lists have it `id`, of stretches `start`, `end` and `speech`,
    then `emotion`, `probability`, `probabilities` by label, and where several heads were averaged
    `heads`: of each corpus the same. Without an answer the emotion is null, and nothing follows."""

    header = ""

    def __init__(self, unsure: float, ids: bool) -> None:
        self._unsure, self._ids = unsure, ids

    def line(self, source: Source, answer: Answer | None, stretch: Stretch | None = None) -> str:
        said: dict[str, Any] = {"file": source.name}
        if self._ids:
            said["id"] = source.id
        if stretch:
            said |= {name: round(getattr(stretch, name), 3) for name in ("start", "end", "speech")}
        said["emotion"] = None
        if answer:
            said |= _best(dict(zip(answer.labels, map(float, answer.probabilities), strict=True)))
            said["emotion"] = told(answer, self._unsure)
            if len(answer.by_head) > 1:
                said["heads"] = {corpus: _best(shares) for corpus, shares in answer.by_head.items()}
        return json.dumps(said) + "\n"


class Table:
    """File, of stretches from when to when, emotion, its probability and the next best; where
    several heads were averaged, also the first of each."""

    def __init__(self, labels: Sequence[str], unsure: float, stretches: bool, widest: int) -> None:
        self._unsure = unsure
        self._name = min(max(widest, len("file")), _WIDEST)
        self._label = max(map(len, (*labels, UNSURE)))
        when = f"{'seconds':15}  " if stretches else ""
        self.header = f"{'file':{self._name}}  {when}{'emotion':{self._label}}  p     next\n"

    def line(self, source: Source, answer: Answer | None, stretch: Stretch | None = None) -> str:
        begin = f"{source.name:{self._name}}  "
        if stretch:
            begin += f"{f'{stretch.start:.1f}-{stretch.end:.1f}':15}  "
        if answer is None:
            return f"{begin}-\n"
        emotion = told(answer, self._unsure)
        pairs = zip(answer.labels, answer.probabilities, strict=True)
        ranked = sorted(pairs, key=lambda pair: -pair[1])
        others = ranked if emotion == UNSURE else ranked[1:]
        further = ", ".join(f"{label} {_short(p)}" for label, p in others[:_NEXT])
        heads = ""
        if len(answer.by_head) > 1:
            first = {corpus: _best(shares) for corpus, shares in answer.by_head.items()}
            heads = "; ".join(
                f"{corpus}: {best['emotion']} {_short(best['probability'])}"
                for corpus, best in first.items()
            )
            heads = f"  ({heads})"
        probability = _short(answer.probability)
        return f"{begin}{emotion:{self._label}}  {probability}   {further}{heads}\n"


def _best(shares: Mapping[str, float]) -> dict[str, Any]:
    """The best label, its probability, and all of them."""
    rounded = {label: round(share, 6) for label, share in shares.items()}
    emotion = max(shares, key=lambda label: shares[label])
    return {"emotion": emotion, "probability": rounded[emotion], "probabilities": rounded}


def _short(probability: float) -> str:
    """Two digits, in as many characters: `.07`, and `1.0`."""
    text = f"{probability:.2f}"
    return text[1:] if text.startswith("0") else "1.0"


def _csv_row(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
