"""What the numbers of a corpus rest on, where that is little: plain sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ...errors import listing
from ...manifests import (
    Manifest,
    Split,
    confounded_speakers,
    group_columns,
    two_genders,
    two_groups,
)

FEWEST = 3
"""Test utterances of a class in a repeat, from which its recall is no longer an accident."""


def notes_on_splits(manifest: Manifest, splits: Sequence[Split]) -> list[str]:
    """Everything that is to be known of a corpus and its splits beside the numbers."""
    people = [*manifest.notes, *two_genders(manifest), *confounded_speakers(manifest)]
    about = [f"{note[:1].upper()}{note[1:]}." for note in people]
    return [
        *about,
        *_two_groups(manifest, splits[0].protocol),
        *_training(manifest, splits),
        *_testing(manifest, splits),
    ]


def left_out(used: int, skipped: int) -> list[str]:
    """That utterances lacked a feature, where some did."""
    if not skipped:
        return []
    return [f"{skipped} of {used + skipped} utterances lack a feature and were left out."]


def _two_groups(manifest: Manifest, protocol: str) -> list[str]:
    """Columns that are kept apart in the test alone, as they have no third group to validate."""
    few = [c for c in group_columns(protocol) if two_groups(manifest, c, protocol)]
    return [
        f"Of two groups by {column} one is tested and the other trains and validates: by {column}, "
        "validation hears what training hears."
        for column in few
    ]


def _training(manifest: Manifest, splits: Sequence[Split]) -> list[str]:
    """Classes that some training parts do not have."""
    parts = [_classes(manifest, split.train) for split in splits if split.train]
    missing = {label: sum(not part[label] for part in parts) for label in manifest.labels}
    notes = []
    if never := [label for label, count in missing.items() if count == len(parts) > 0]:
        notes.append(
            f"{listing(never)}: in no training part of this corpus, so that it cannot be learned "
            "from it; where it is tested, UA counts its recall all the same."
        )
    if some := [f"{label} ({n})" for label, n in missing.items() if 0 < n < len(parts)]:
        notes.append(f"Missing from some of the {len(parts)} training parts: {listing(some)}.")
    return notes


def _testing(manifest: Manifest, splits: Sequence[Split]) -> list[str]:
    """Classes of which a repeat, all its folds together, tests few utterances or none."""
    repeats: dict[int, Counter[str]] = defaultdict(Counter)
    for split in splits:
        repeats[split.seed] += _classes(manifest, split.test)
    fewest = {label: min(part[label] for part in repeats.values()) for label in manifest.labels}
    notes = []
    if few := [f"{label} ({count})" for label, count in fewest.items() if 0 < count < FEWEST]:
        notes.append(
            f"Fewer than {FEWEST} test utterances in some repeat, so that the recall rests on "
            f"these: {listing(few)}."
        )
    if none := [label for label, count in fewest.items() if not count]:
        notes.append(
            f"Without test utterances in some repeat, whose UA is the mean over the other classes: "
            f"{listing(none)}."
        )
    return notes


def _classes(manifest: Manifest, ids: Sequence[str]) -> Counter[str]:
    emotion = dict(zip(manifest.ids, manifest.table["emotion"].tolist(), strict=True))
    return Counter(str(emotion[id]) for id in ids)
