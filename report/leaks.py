"""What leaks were looked for in the splits of a run, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cache import Cache
from ..errors import LeakError, SerError
from ..manifests import Manifest, group_columns, read_splits
from ..train.runs.experiment import labels_hash
from ..train.runs.report import namesake_notes, speaker_note
from ..train.runs.run import split_name
from .subject import Subject, one_line

CHECKS = (
    ("utterance", "No utterance is twice in a part, or in two parts."),
    ("recording", "No audio is in two parts: the same samples, under whatever name or format."),
    (
        "copy",
        "No copy that sounds alike is in two parts: other level, rate, compression, some noise or "
        "silence, found by fingerprints of the sound.",
    ),
)
SPEAKERS = (
    "speaker",
    "No speaker, and where the corpus has them no session, is in two parts; every utterance is "
    "tested once.",
)
BETWEEN = ("corpora", "No recording is in one part of a corpus and in another part of another.")

NOT_LOOKED_FOR = (
    "excerpts, and copies that were equalised, played in a room or made faster",
    "the same sentence in two parts: in acted corpora all speakers say the same few",
    "settings of a preset that were chosen on validation parts of these same corpora",
)


@dataclass(frozen=True)
class Looked:
    """What was looked for in a run's splits.

    Attributes:
        again: whether it was looked for once more just now, or why it could not be.
        found: what there is to be known of speakers, corpora and splits.
    """

    subject: Subject
    checks: Sequence[tuple[str, str]]
    again: str
    found: Sequence[str]


def looked(subject: Subject, cache: Cache | None) -> Looked:
    """The checks of a run; those within a corpus are made again where the cache has the corpus as
    it was."""
    checks = list(CHECKS)
    protocol = subject.metrics["protocol"]
    if protocol == "speaker":
        checks.append(SPEAKERS)
    elif columns := [one_line(column) for column in group_columns(protocol)]:
        what = f"No {' and no '.join(columns)} of a test part is in training or validation; every "
        checks.append(("group", f"{what}utterance is tested once."))
    if len(subject.run.config.records) > 1:
        checks.append(BETWEEN)
    found = []
    for corpus in subject.corpora:
        domain = subject.domain(corpus)
        found.append(f"{corpus}: {_speakers(subject, corpus)}")
        found += [f"{corpus}: {one_line(note)}" for note in domain["notes"]]
    found += map(one_line, namesake_notes(subject.metrics))
    said: dict[str, list[str]] = {}
    for corpus in subject.corpora:
        said.setdefault(_again(subject, corpus, cache), []).append(corpus)
    again = " ".join(f"{', '.join(names)}: {text}" for text, names in said.items())
    return Looked(subject, checks, again, found)


def _speakers(subject: Subject, corpus: str) -> str:
    domain = subject.domain(corpus)
    note = one_line(speaker_note(subject.metrics["protocol"], domain))
    if domain["speakers_shared"]:
        note += f" Up to {domain['speakers_shared']} speakers of a test part are in training too."
    return note


def _again(subject: Subject, corpus: str, cache: Cache | None) -> str:
    run = subject.run
    manifest = manifest_of(subject, corpus, cache)
    if manifest is None:
        return "splits not looked at again, for the cache does not have the corpus as it was."
    try:
        with run.file(split_name(corpus, len(run.config.records))):
            pass
        read_splits(run.folder / split_name(corpus, len(run.config.records)), manifest)
    except LeakError as error:
        return f"splits looked at again for this page: {one_line(str(error))}"
    except (SerError, OSError, ValueError):
        return "splits that cannot be read again; they are not as the run wrote them."
    return "splits read and looked at again for this page; none leaks."


def manifest_of(subject: Subject, corpus: str, cache: Cache | None) -> Manifest | None:
    """The utterances that a run used, where the cache has them with these labels and speakers."""
    if cache is None:
        return None
    record = subject.run.config.records[corpus]
    try:
        manifest = subject.run.config.used(cache.manifest(corpus))
    except SerError:
        return None
    same = manifest.id == record.manifest and labels_hash(manifest) == record.labels_hash
    return manifest if same else None
