"""What is odd about a manifest that is valid: copies, speakers, counts of a partial copy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from ..errors import listing
from .manifest import Manifest
from .pieces import TOLERANCE
from .text import alike
from .vocabulary import ordered

_TIMES = (("start", "end"), ("start_time", "end_time"), ("begin", "end"), ("onset", "offset"))
"""What columns are called that say where in a recording an utterance is, in seconds."""


def same_audio(manifest: Manifest) -> list[str]:
    """Warn of utterances with one recording, which are the same audio or copies that sound alike,
    and of those among them that disagree on what it is."""
    table = manifest.table.assign(recording=manifest.recordings)
    same = table[table["recording"].duplicated(keep=False)]
    groups = [group for _, group in same.groupby("recording", sort=False)]
    warnings = []
    for sign, copies, what in (
        ("=", [g for g in groups if g["audio_hash"].nunique() == 1], "share their audio with"),
        ("~", [g for g in groups if g["audio_hash"].nunique() > 1], "sound like a copy of"),
    ):
        if copies:
            alike = (f" {sign} ".join(group["id"]) for group in copies)
            warnings.append(
                f"{sum(map(len, copies))} utterances {what} another; splits keep them in one part: "
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


def parts_of_files(manifest: Manifest) -> list[str]:
    """Warn of files that are longer than the times say which stand beside them: perhaps an
    utterance is a part of its file, of which all is heard."""
    import pandas as pd

    names = {alike(name): name for name in manifest.table.columns}
    times = next((pair for pair in _TIMES if {*pair} <= names.keys()), None)
    if times is None:
        return []
    cells = [manifest.table[names[time]] for time in times]
    begins, ends = (pd.to_numeric(each, errors="coerce") for each in cells)
    longer = manifest.table[manifest.table["duration"] > ends - begins + TOLERANCE]
    if longer.empty:
        return []
    first = longer.iloc[0]
    said = " to ".join(str(first[names[time]]) for time in times)
    return [
        f"{len(longer)} utterances have longer files than {' and '.join(times)} say, and all of a "
        f"file is heard: {first['id']} ({said}, the file has {first['duration']:.2f} s); if they "
        "are pieces of recordings, cut them first"
    ]


def wrong_counts(manifest: Manifest, expected: Mapping[str, int]) -> list[str]:
    """Warn of classes that have fewer or more utterances than a whole copy."""
    counts = Counter(manifest.counts())
    warnings = []
    for sign, what, consequence in (
        (-1, "is incomplete:", "classes are short:"),
        (1, "has more than was published in", "classes:"),
    ):
        wrong = [
            f"{label} {counts[label]} of {expected[label]}"
            for label in ordered(expected)
            if sign * (counts[label] - expected[label]) > 0
        ]
        if wrong:
            warnings.append(
                f"this copy of {manifest.corpus} {what} {len(wrong)} of {len(expected)} "
                f"{consequence} {', '.join(wrong)}"
            )
    return warnings


def wrong_size(manifest: Manifest, expected: int) -> list[str]:
    """Warn of a copy that gives fewer or more utterances than there are, where their number by
    emotion is not known."""
    if not expected or len(manifest) == expected:
        return []
    return [f"this copy of {manifest.corpus} gives {len(manifest)} of {expected} utterances"]


def two_genders(manifest: Manifest) -> list[str]:
    """Warn of speakers with more than one gender: perhaps several people under one name."""
    both = [
        f"{speaker} ({', '.join(genders)})"
        for speaker, genders in _counts(manifest, "speaker", "gender").items()
        if len(genders) > 1
    ]
    what = (
        "speakers with more than one gender, so that one name may stand for several people, or "
        "genders are wrong: "
    )
    return [what + listing(both)] if both else []


def confounded_speakers(manifest: Manifest) -> list[str]:
    """Warn where to know the speaker is to know the emotion, or an emotion is one speaker's alone.

    Emotions and speakers of a single utterance show nothing, and do not count.
    """
    emotions = _counts(manifest, "speaker", "emotion")
    speakers = _counts(manifest, "emotion", "speaker")
    if len(emotions) < 2 or len(speakers) < 2:
        return []
    told = [counts for counts in emotions.values() if counts.total() > 1]
    if len(told) > 1 and all(len(counts) == 1 for counts in told):
        return [
            "every speaker has one emotion only: what is learned and measured here may be who "
            "speaks, and not how"
        ]
    alone = [
        f"{emotion} ({next(iter(speakers[emotion]))})"
        for emotion in ordered(speakers)
        if len(speakers[emotion]) == 1 and speakers[emotion].total() > 1
    ]
    what = "emotions that one speaker alone has, so that they cannot be told from that speaker: "
    return [what + listing(alone)] if alone else []


def _counts(manifest: Manifest, of: str, column: str) -> dict[str, Counter[str]]:
    """How often each value of one column has which of another, where both are known; sorted."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    known = manifest.table[(manifest.table[of] != "") & (manifest.table[column] != "")]
    both = Counter(zip(known[of].tolist(), known[column].tolist(), strict=True))
    for (one, other), count in sorted(both.items()):
        counts[one][other] = count
    return counts
