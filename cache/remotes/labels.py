"""Two manifests of one corpus, here and there: what differs, and the one that is made of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...errors import InputError, listing
from ..contents import utterances_of
from .place import Place

if TYPE_CHECKING:
    from ...manifests import Manifest

Labels = Literal["ours", "theirs"]
"""Whose manifest counts where the two say different things."""

OF_A_COPY = ("path", "duration", "audio_hash")
"""Columns that tell of somebody's files; that the audio is the same, the hashes say."""


@dataclass(frozen=True)
class ManifestDifference:
    """How the manifest of a corpus here (ours) and another (theirs) differ.

    Attributes:
        changed: ids of utterances of which they say different things, by column.
        audio: ids that both have, with other audio.
        only_ours, only_theirs: ids of utterances that the other lacks.
    """

    corpus: str
    changed: dict[str, list[str]]
    audio: list[str]
    only_ours: list[str]
    only_theirs: list[str]

    @property
    def contradicts(self) -> bool:
        """Whether they say different things of the same utterance."""
        return bool(self.changed or self.audio)

    def __bool__(self) -> bool:
        return self.contradicts or bool(self.only_ours or self.only_theirs)

    def __str__(self) -> str:
        """All differences, in words."""
        said = [
            f"{len(ids)} utterances have another {column} ({listing(ids, 3)})"
            for column, ids in self.changed.items()
        ]
        if self.audio:
            said.append(f"{len(self.audio)} have other audio ({listing(self.audio, 3)})")
        if self.only_ours:
            said.append(f"{len(self.only_ours)} are only here ({listing(self.only_ours, 3)})")
        if self.only_theirs:
            said.append(f"{len(self.only_theirs)} are only there ({listing(self.only_theirs, 3)})")
        return f"{self.corpus}: {'; '.join(said) or 'no difference'}"


def difference(ours: Manifest, theirs: Manifest) -> ManifestDifference:
    """How two manifests of one corpus differ, but for what follows from the copy of the audio."""
    from ...manifests import FINGERPRINT

    mine, other = (one.table.set_index("id", drop=False) for one in (ours, theirs))
    hash_of = dict(mine["audio_hash"])
    both = [id for id in other.index if id in hash_of]
    same = [id for id in both if hash_of[id] == other.at[id, "audio_hash"]]
    columns = [
        name
        for name in dict.fromkeys((*mine.columns, *other.columns))
        if name not in OF_A_COPY and name not in ("id", FINGERPRINT)
    ]
    changed: dict[str, list[str]] = {}
    for name in columns:
        here, there = (
            one.loc[same, name].tolist() if name in one else [""] * len(same)
            for one in (mine, other)
        )
        pairs = zip(same, here, there, strict=True)
        if ids := [id for id, left, right in pairs if left != right]:
            changed[name] = ids
    known, theirs_ids = set(mine.index), set(other.index)
    return ManifestDifference(
        corpus=ours.corpus,
        changed=changed,
        audio=[id for id in both if hash_of[id] != other.at[id, "audio_hash"]],
        only_ours=[id for id in mine.index if id not in theirs_ids],
        only_theirs=[id for id in other.index if id not in known],
    )


def united(ours: Manifest, theirs: Manifest, labels: Labels | None) -> Manifest:
    """The utterances of both; of those that both have, what the manifest of `labels` says.

    Args:
        labels: needed where they contradict each other.

    Raises:
        InputError: they do and it is not given, or they do not go together (a speaker spelt in two
            ways, two languages).
    """
    import pandas as pd

    from ...manifests import Manifest

    found = difference(ours, theirs)
    if found.contradicts and labels is None:
        raise InputError(
            f"{found}\nNothing was changed. --labels ours keeps what is here, --labels theirs what "
            "is there; `ser cache diff` lists all"
        )
    first, second = (theirs, ours) if labels == "theirs" else (ours, theirs)
    more = second.table[~second.table["id"].isin(set(first.ids))]
    if more.empty:
        return first
    try:
        return Manifest(pd.concat([first.table, more], ignore_index=True).fillna(""))
    except InputError as error:
        raise InputError(
            f"{ours.corpus}: the {len(more)} utterances that only one of the two manifests has do "
            f"not go with the {len(first)} of the other: {error}"
        ) from error


def manifest_at(place: Place, corpus: str) -> Manifest | None:
    """The manifest of a corpus at a place, whoever made it; None where there is none.

    Raises:
        InputError: it is none, or of another corpus.
        SerError: it cannot be read.
    """
    data = place.read(manifest_name(corpus))
    return None if data is None else parse_manifest(data, corpus, place)


def parse_manifest(data: bytes, corpus: str, place: Place) -> Manifest:
    """The manifest in the bytes of a file at a place; errors as of `manifest_at`."""
    from ...manifests import Manifest

    where = f"{place}: {manifest_name(corpus)}"
    manifest = Manifest.load(where, data)
    if manifest.corpus != corpus:
        raise InputError(f"{where} is a manifest of {manifest.corpus}")
    return manifest


def manifest_name(corpus: str) -> str:
    """The name of the file below a cache."""
    return f"manifests/{corpus}.csv"


def same_manifest(ours: Manifest, theirs: Manifest) -> bool:
    """Whether two manifests have the same utterances and say the same of them."""
    return utterances_of(ours) == utterances_of(theirs) and not difference(ours, theirs)
