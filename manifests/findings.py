"""What is odd about a manifest that is valid: copies, speakers, counts of a partial copy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from .manifest import Manifest
from .names import listing
from .vocabulary import ordered


def same_audio(manifest: Manifest) -> list[str]:
    """Warn of utterances with one recording: the same audio, or copies that sound alike.

    And of those that disagree on what it is.
    """
    table = manifest.table.assign(recording=manifest.recordings)
    same = table[table["recording"].duplicated(keep=False)]
    groups = [group for _, group in same.groupby("recording", sort=False)]
    warnings = []
    for sign, found, what in (
        ("=", [g for g in groups if g["audio_hash"].nunique() == 1], "share their audio with"),
        ("~", [g for g in groups if g["audio_hash"].nunique() > 1], "sound like a copy of"),
    ):
        if found:
            alike = (f" {sign} ".join(group["id"]) for group in found)
            warnings.append(
                f"{sum(map(len, found))} utterances {what} another; splits keep them in one part: "
                f"{listing(alike, 3)}"
            )
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


def two_genders(manifest: Manifest) -> list[str]:
    """Warn of speakers with more than one gender: perhaps several people under one name."""
    genders: dict[str, set[str]] = defaultdict(set)
    for speaker, gender in _pairs(manifest, "gender"):
        genders[speaker].add(gender)
    both = [
        f"{speaker} ({', '.join(sorted(found))})"
        for speaker, found in sorted(genders.items())
        if len(found) > 1
    ]
    return (
        [
            "speakers with more than one gender, so that one name may stand for several people, or "
            f"genders are wrong: {listing(both)}"
        ]
        if both
        else []
    )


def confounded_speakers(manifest: Manifest) -> list[str]:
    """Warn where to know the speaker is to know the emotion, or an emotion is one speaker's alone.

    Emotions and speakers of a single utterance show nothing, and do not count.
    """
    pairs = Counter(_pairs(manifest, "emotion"))
    emotions: dict[str, Counter[str]] = defaultdict(Counter)
    speakers: dict[str, Counter[str]] = defaultdict(Counter)
    for (speaker, emotion), count in pairs.items():
        emotions[speaker][emotion] += count
        speakers[emotion][speaker] += count
    told = [found for found in emotions.values() if found.total() > 1]
    if len(emotions) < 2 or len(speakers) < 2:
        return []
    if len(told) > 1 and all(len(found) == 1 for found in told):
        return [
            "every speaker has one emotion only: what is learned and measured here may be who "
            "speaks, and not how"
        ]
    alone = [
        f"{emotion} ({next(iter(speakers[emotion]))})"
        for emotion in ordered(speakers)
        if len(speakers[emotion]) == 1 and speakers[emotion].total() > 1
    ]
    return (
        [
            "emotions that one speaker alone has, so that they cannot be told from that speaker: "
            f"{listing(alone)}"
        ]
        if alone
        else []
    )


def _pairs(manifest: Manifest, column: str) -> list[tuple[str, str]]:
    """Speaker and what `column` says, of each utterance where both are known."""
    both = zip(map(str, manifest.table["speaker"]), map(str, manifest.table[column]), strict=True)
    return [(speaker, value) for speaker, value in both if speaker and value]
