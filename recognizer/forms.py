"""What was said of a file, as text: a row of a table, of a CSV file, or a line of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from .recognizer import Answer
from .sources import Source

UNSURE = "unsure"
"""The answer where no emotion is probable enough."""

FORMS = ("table", "csv", "jsonl")

_WIDEST = 60
"""Characters of a name in a table, for which room is kept."""

_NEXT = 2
"""Emotions that a table has after the first."""


Said = TypeVar("Said", contravariant=True)
"""What is said of a file."""


class Form(Protocol[Said]):
    """One way to write what is said of files."""

    header: str

    def lines(self, source: Source, answer: Said, /) -> str:
        """What is written of a file, with a line end."""


def make_form(
    name: str, labels: Sequence[str], *, unsure: float = 0, ids: bool = False, widest: int = 0
) -> Form[Answer]:
    """The form of a name of `FORMS`.

    Args:
        labels: that can be answered.
        unsure: the probability below which the answer is "unsure".
        ids: whether there are ids of a list.
        widest: characters of the longest name of a file.
    """
    if name == "csv":
        return Csv(labels, unsure, ids)
    if name == "jsonl":
        return JsonLines(unsure, ids)
    return Table(labels, unsure, widest)


def told(answer: Answer, unsure: float) -> str:
    """The emotion, or that there is none."""
    return answer.emotion if answer.probability >= unsure else UNSURE


class Csv:
    """`file`, where lists have it `id`, `emotion`, `probability`, and `p_<label>` for every label;
    the probability is that of the best label."""

    def __init__(self, labels: Sequence[str], unsure: float, ids: bool) -> None:
        self._unsure, self._ids = unsure, ids
        names = (*(("id",) if ids else ()), "emotion", "probability")
        self.header = _csv_row(["file", *names, *(f"p_{label}" for label in labels)])

    def lines(self, source: Source, answer: Answer) -> str:
        names = [source.name, source.id] if self._ids else [source.name]
        numbers = [f"{p:.6f}" for p in (answer.probability, *answer.probabilities)]
        return _csv_row([*names, told(answer, self._unsure), *numbers])


class JsonLines:
    """An object a file: `file`, where lists have it `id`, `emotion`, `probability`,
    `probabilities` by label, and where several heads were averaged `heads`: of each corpus the
    same."""

    header = ""

    def __init__(self, unsure: float, ids: bool) -> None:
        self._unsure, self._ids = unsure, ids

    def lines(self, source: Source, answer: Answer) -> str:
        said: dict[str, Any] = {"file": source.name}
        if self._ids:
            said["id"] = source.id
        whole = dict(zip(answer.labels, map(float, answer.probabilities), strict=True))
        said |= _best(whole)
        said["emotion"] = told(answer, self._unsure)
        if len(answer.by_head) > 1:
            said["heads"] = {corpus: _best(shares) for corpus, shares in answer.by_head.items()}
        return json.dumps(said) + "\n"


class Table:
    """File, emotion, its probability and the next best; where several heads were averaged, also
    the first of each."""

    def __init__(self, labels: Sequence[str], unsure: float, widest: int) -> None:
        self._unsure = unsure
        self._name = min(max(widest, len("file")), _WIDEST)
        self._label = max(map(len, (*labels, UNSURE)))
        self.header = f"{'file':{self._name}}  {'emotion':{self._label}}  p     next\n"

    def lines(self, source: Source, answer: Answer) -> str:
        ranked = sorted(
            zip(answer.labels, answer.probabilities, strict=True), key=lambda pair: -pair[1]
        )
        others = ranked if told(answer, self._unsure) == UNSURE else ranked[1:]
        further = ", ".join(f"{label} {_short(p)}" for label, p in others[:_NEXT])
        heads = ""
        if len(answer.by_head) > 1:
            first = {corpus: _best(shares) for corpus, shares in answer.by_head.items()}
            heads = "; ".join(
                f"{corpus}: {best['emotion']} {_short(best['probability'])}"
                for corpus, best in first.items()
            )
            heads = f"  ({heads})"
        return (
            f"{source.name:{self._name}}  {told(answer, self._unsure):{self._label}}  "
            f"{_short(answer.probability)}   {further}{heads}\n"
        )


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
