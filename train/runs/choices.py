"""`choices.json`: what the baselines of a run chose by validation, which a stranger may have
written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Literal

import msgspec

from ...files import parse_json

CHOICES = "choices.json"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was chosen for one split of one corpus.

    Attributes:
        validation_ua: of all candidates; on the test part, where that had the say.
        by: the part that had it.
    """

    chosen: Text
    validation_ua: dict[Text, Share]
    by: Literal["validation", "test"] = "validation"

    def __post_init__(self) -> None:
        """Raise ValueError unless what was chosen is a candidate."""
        if self.chosen not in self.validation_ua:
            raise ValueError(f"{self.chosen!r} was chosen, but is no candidate")


Choices = Mapping[tuple[int, int], Mapping[str, Choice]]
"""By repeat and fold, and corpus that is tested."""


class _Fold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repeat: int
    fold: int
    choices: dict[str, Choice]


def choices_written(choices: Choices) -> object:
    """What the file says, as plain values."""
    return msgspec.to_builtins(
        [_Fold(repeat, fold, dict(of_fold)) for (repeat, fold), of_fold in choices.items()]
    )


def read_choices(data: bytes, corpora: Collection[str]) -> Choices:
    """The inverse, of a run for these corpora.

    Raises:
        ValueError: it is no such file.
    """
    folds: Sequence[_Fold] = parse_json(data, list[_Fold], CHOICES)
    found = {(each.repeat, each.fold): each.choices for each in folds}
    if len(found) < len(folds):
        raise ValueError(f"{CHOICES} has a fold twice")
    if any(not set(of_fold) <= set(corpora) for of_fold in found.values()):
        raise ValueError(f"{CHOICES} is not of the corpora of the run")
    return found


def describe_choices(choices: Choices) -> str:
    """What was chosen, the most frequent first: `linear SVM, C 0.001 (3 of 5); RBF SVM, ...`."""
    names = Counter(choice.chosen for of_fold in choices.values() for choice in of_fold.values())
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{name} ({n} of {names.total()})" for name, n in names.most_common())


def chosen_by(choices: Choices) -> str:
    """What had the say: `validation`, or `the test part`."""
    parts = {choice.by for of_fold in choices.values() for choice in of_fold.values()}
    return "the test part" if "test" in parts else "validation"
