"""Whole corpora that are tested by models of others: the emotions that both have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from ...errors import InputError
from ...manifests import Manifest
from .request import Request

FEWEST = 2
"""Emotions in common: fewer leave nothing to tell apart."""


def emotions_of_others(
    request: Request, manifests: Mapping[str, Manifest]
) -> dict[str, dict[str, int]]:
    """By tested corpus, the emotions that no corpus has which is trained on, and of how many
    utterances; empty where corpora are tested in parts.

    Raises:
        InputError: a tested corpus has fewer than two emotions in common with each of the others.
    """
    trained = {corpus: manifests[corpus].labels for corpus in request.trained}
    known = {label for labels in trained.values() for label in labels}
    for corpus in request.tested:
        labels = manifests[corpus].labels
        if all(len({*labels} & {*others}) < FEWEST for others in trained.values()):
            said = "; ".join(f"{name}: {', '.join(of)}" for name, of in trained.items())
            raise InputError(
                f"--test-on {corpus}: its emotions ({', '.join(labels)}) have fewer than {FEWEST} "
                f"in common with those of each corpus that is trained on ({said})"
            )
    return {
        corpus: {
            label: count
            for label, count in manifests[corpus].counts().items()
            if label not in known
        }
        for corpus in request.tested
    }


def ids_with(manifest: Manifest, emotions: Collection[str]) -> set[str]:
    """The utterances that have one of some emotions."""
    named = zip(manifest.ids, manifest.table["emotion"].tolist(), strict=True)
    return {id for id, emotion in named if emotion in emotions}


def note_on_others(left_out: Mapping[str, int]) -> list[str]:
    """That utterances have emotions that nothing was trained for, where some do."""
    if not left_out:
        return []
    said = ", ".join(f"{label} ({count})" for label, count in Counter(left_out).most_common())
    return [
        f"{sum(left_out.values())} utterances were left out, as no corpus that was trained on has "
        f"their emotions: {said}."
    ]
