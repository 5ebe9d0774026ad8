"""What is odd about a manifest that is valid: shared audio, and counts unlike a whole copy's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .manifest import Manifest
from .names import listing
from .vocabulary import ordered


def same_audio(manifest: Manifest) -> list[str]:
    """Warn of utterances with the very same audio, and of those that disagree on what it is."""
    table = manifest.table
    same = table[table["audio_hash"].duplicated(keep=False)]
    if not len(same):
        return []
    groups = [group for _, group in same.groupby("audio_hash", sort=False)]
    alike = (" = ".join(group["id"]) for group in groups)
    warnings = [
        f"{len(same)} utterances share their audio with another; splits keep them in one part: "
        f"{listing(alike, 3)}"
    ]
    for column, consequence in (
        ("emotion", "one of the labels must be wrong"),
        ("speaker", "the protocol 'speaker' keeps these speakers in one fold"),
    ):
        conflicts = [
            " = ".join(f"{name} ({value})" for name, value in zip(*both, strict=True))
            for both in ((group["id"], group[column]) for group in groups)
            if both[1].nunique() > 1
        ]
        if conflicts:
            warnings.append(
                f"the same audio has more than one {column}; {consequence}: {listing(conflicts, 3)}"
            )
    return warnings


def wrong_counts(manifest: Manifest, expected: Mapping[str, int]) -> list[str]:
    """Warn of classes that have fewer or more utterances than a whole copy."""
    found = Counter(manifest.counts())
    fewer, more = (
        [
            f"{label} {found[label]} of {expected[label]}"
            for label in ordered(expected)
            if sign * (found[label] - expected[label]) > 0
        ]
        for sign in (-1, 1)
    )
    warnings = []
    if fewer:
        warnings.append(
            f"this copy of {manifest.corpus} is incomplete: {len(fewer)} of {len(expected)} "
            f"classes are short: {', '.join(fewer)}"
        )
    if more:
        warnings.append(
            f"this copy of {manifest.corpus} has more than was published in {len(more)} of "
            f"{len(expected)} classes: {', '.join(more)}"
        )
    return warnings
