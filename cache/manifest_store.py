"""Putting the manifest of a corpus into a cache without losing what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from .store import Cache

if TYPE_CHECKING:
    from ..manifests import Manifest


def store_manifest(cache: Cache, manifest: Manifest, replace: bool = False) -> str | None:
    """Save a manifest in the cache, unless that would lose utterances or corrected labels.

    A manifest that has all utterances of the one in the cache and more takes its place, with the
    labels of the old one for those that it had. One that has no more is not saved: labels that were
    corrected stay, and a part of a corpus does not replace the whole. With `replace` the new one
    takes the place of the old as it is.

    Returns:
        What the user should know, if anything.

    Raises:
        InputError: each of the two has utterances that the other lacks, they are of different
            languages, or the old one is damaged.
        SerError: the cache cannot be written.
    """
    corpus = manifest.corpus
    if corpus not in cache.corpora():
        cache.save_manifest(manifest)
        return None
    try:
        old = cache.manifest(corpus)
    except InputError as error:
        if not replace:
            raise InputError(f"{error}\nOr make it anew: --replace") from error
        cache.save_manifest(manifest)
        return f"{corpus}: the damaged manifest in the cache was replaced"
    if old.table.equals(manifest.table):
        return None
    before, now = _utterances(old), _utterances(manifest)
    if old.language != manifest.language and not replace:
        raise InputError(
            f"{corpus}: is in the cache {cache.folder} as {old.language}, and is "
            f"{manifest.language} here. If that is right, --replace replaces the manifest"
        )
    if replace:
        cache.save_manifest(manifest)
        return f"{corpus}: the manifest in the cache was replaced ({len(old)} -> {len(manifest)})"
    if before < now:
        cache.save_manifest(_extended(old, manifest))
        return (
            f"{corpus}: {len(now) - len(before)} utterances were added to the {len(before)} there"
        )
    if now <= before:
        reason = (
            "has other labels for the same utterances"
            if now == before
            else f"has {len(old)} utterances, these {len(manifest)} among them"
        )
        return f"{corpus}: the manifest in the cache {reason} and is kept; --replace replaces it"
    lost = sorted(before - now)
    raise InputError(
        f"{corpus}: the manifest in the cache {cache.folder} is of another copy of the corpus: "
        f"{len(lost)} of its {len(old)} utterances are not in this one or sound different, such as "
        f"{lost[0][0]}. Use another --cache, or --replace"
    )


def _extended(old: Manifest, new: Manifest) -> Manifest:
    """The rows of `old`, and those of `new` that it does not have."""
    import pandas as pd

    from ..manifests import Manifest

    added = new.table[~new.table["id"].isin(set(old.table["id"]))]
    return Manifest(pd.concat([old.table, added], ignore_index=True))


def _utterances(manifest: Manifest) -> set[tuple[str, str]]:
    table = manifest.table
    return set(zip(table["id"], table["audio_hash"], strict=True))
