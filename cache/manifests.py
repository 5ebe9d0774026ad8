"""Putting the manifest of a corpus into a cache without losing what is there."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, SerError
from .access import check_own, check_writable, write_error
from .cache import Cache
from .contents import utterances_of
from .folders import remove_leftovers
from .terms import keep_terms, terms_file

if TYPE_CHECKING:
    import pandas as pd

    from ..manifests import Manifest


@dataclass(frozen=True)
class ManifestChange:
    """What putting a manifest into a cache comes to.

    Attributes:
        saved: what takes the place of the manifest that is there; None: that stays.
        completed: the one that stays, with fingerprints that it lacked; None: it lacks none, or is
            shared, and does without.
        told: what the user should know, if anything.
    """

    saved: Manifest | None = None
    completed: Manifest | None = None
    told: str | None = None


def store_manifest(cache: Cache, manifest: Manifest, replace: bool = False) -> str | None:
    """Save a manifest in the cache, unless that would lose utterances or corrected labels.

    A manifest that has all utterances of the one in the cache and more takes its place, with the
    labels of the old one for those that it had. One that has no more is not saved: labels that were
    corrected stay, and a part of a corpus does not replace the whole. With `replace` the new one
    takes the place of the old as it is. Fingerprints are added where there were none.

    Utterances are known by id and audio; ids that differ as `with_known_ids` says are the same.
    What takes the place of a shared manifest is saved in the folder that is written, and is the one
    that counts from then on.

    Returns:
        What the user should know, if anything.

    Raises:
        InputError: each of the two has utterances that the other lacks, they are of different
            languages, they spell a speaker or emotion in two ways, or the old one is damaged.
        SerError: the cache cannot be written.
    """
    change = manifest_change(cache, manifest, replace)
    if change.saved is not None:
        _save(cache, change.saved)
    elif change.completed is not None:
        with suppress(SerError):  # where nobody may write, it does without
            _save(cache, change.completed)
    return change.told


def manifest_change(cache: Cache, manifest: Manifest, replace: bool = False) -> ManifestChange:
    """What `store_manifest` would do; InputError as there."""
    corpus = manifest.corpus
    if corpus not in cache.corpora():
        return ManifestChange(manifest)
    try:
        old = cache.manifest(corpus)
    except SerError as error:
        if not replace:
            raise InputError(f"{error}\nOr make it anew: --replace") from error
        return ManifestChange(
            manifest, told=f"{corpus}: the damaged manifest in the cache is replaced"
        )
    manifest = _with_ids_of(old, manifest)
    known, old = old, _with_fingerprints(old, manifest)
    completed = old if old is not known and cache.owns_manifest(corpus) else None
    if _same(old, manifest):
        return ManifestChange(completed=completed)
    before, now = set(utterances_of(old)), set(utterances_of(manifest))
    if old.language != manifest.language and not replace:
        raise InputError(
            f"{corpus}: is in the cache {cache} as {old.language}, and is "
            f"{manifest.language} here. If that is right, --replace replaces the manifest"
        )
    if replace:
        told = f"{corpus}: the manifest in the cache is replaced ({len(old)} -> {len(manifest)})"
        return ManifestChange(_with_fingerprints(manifest, old), told=told)
    if before < now:
        extended = _extended(cache, old, manifest)
        added = f"{corpus}: {len(now - before)} utterances are added to the {len(before)} there"
        return ManifestChange(extended, told="; ".join((added, *extended.notes)))
    if now <= before:
        reason = (
            "has other labels for the same utterances"
            if now == before
            else f"has {len(old)} utterances, these {len(manifest)} among them"
        )
        told = f"{corpus}: the manifest in the cache {reason} and is kept; --replace replaces it"
        return ManifestChange(completed=completed, told=told)
    raise _other_audio(cache, known, manifest, before - now)


def with_known_ids(cache: Cache, manifest: Manifest) -> Manifest:
    """Give utterances the ids under which the cache has them, so that their features are found.

    An id that was made of a path could depend on the path's Unicode form, which differs between
    systems. The same audio under the same path, written in another form, is the same utterance.
    """
    if manifest.corpus not in cache.corpora():
        return manifest
    try:
        return _with_ids_of(cache.manifest(manifest.corpus), manifest)
    except InputError:
        return manifest  # what is wrong with the cache's, `store_manifest` says


def remove_manifest(cache: Cache, corpus: str) -> Path:
    """Remove the manifest of a corpus from the folder that is written; returns where it was.

    Raises:
        InputError: none is there.
        SerError: the cache cannot be written.
    """
    path = cache.folder / "manifests" / f"{corpus}.csv"
    if not cache.owns_manifest(corpus):
        raise InputError(f"no manifest of {corpus} in {cache.folder}")
    try:
        path.unlink(missing_ok=True)
        (cache.folder / terms_file(corpus)).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path.parent, error) from error
    return path


def _save(cache: Cache, manifest: Manifest) -> None:
    """Put a manifest in place of an earlier one, whatever that says."""
    folder = cache.folder / "manifests"
    check_own(folder, cache.folder)
    check_writable(folder)
    remove_leftovers(cache.folder)
    keep_terms(cache.folder, manifest.corpus)
    try:
        manifest.save(folder / f"{manifest.corpus}.csv")
    except OSError as error:
        raise write_error(folder, error) from error


def _other_audio(cache: Cache, old: Manifest, new: Manifest, lost: Set[str]) -> InputError:
    """The error for a manifest without some utterances of the one in the cache."""
    from ..manifests import FINGERPRINT

    ids = sorted(utterance.split()[0] for utterance in lost)
    if FINGERPRINT not in old.table and set(ids) <= set(new.ids):
        return InputError(
            f"{old.corpus}: {len(ids)} of {len(old)} utterances have another audio hash than in "
            f"the cache {cache}, such as {ids[0]}. Either their files were changed, or they "
            "have several channels, and an older version put them there: the hash is of the mean "
            "of the channels, as the backbones hear it, and was of each channel. --replace "
            "replaces the manifest, and these utterances are extracted anew"
        )
    return InputError(
        f"{old.corpus}: the manifest in the cache {cache} is of another copy of the corpus: "
        f"{len(ids)} of its {len(old)} utterances are not in this one or sound different, such as "
        f"{ids[0]}. Use another --cache, or --replace"
    )


def _with_ids_of(old: Manifest, new: Manifest) -> Manifest:
    from ..manifests import Manifest, id_from_path

    known = {
        (id_from_path(path), audio): id
        for id, path, audio in _rows(old)
        if not path.isascii() and _is_made_of(id, path)
    }
    if not known:
        return new
    taken = set(new.ids)
    ids = [
        other
        if (other := known.get((id_from_path(path), audio), id)) not in taken
        and _is_made_of(id, path)
        else id
        for id, path, audio in _rows(new)
    ]
    return new if ids == list(new.ids) else Manifest(new.table.assign(id=ids))


def _is_made_of(id: str, path: str) -> bool:
    """Whether an id was made of a path, in whatever Unicode form it then had."""
    from ..manifests import id_from_form

    forms = (path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))
    return id in map(id_from_form, forms)


def _rows(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Id, path and audio hash of each utterance."""
    columns = (manifest.table[name].tolist() for name in ("id", "path", "audio_hash"))
    return zip(*columns, strict=True)


def _extended(cache: Cache, old: Manifest, new: Manifest) -> Manifest:
    """The rows of `old`, and those of `new` that it does not have."""
    import pandas as pd

    from ..manifests import Manifest

    added = new.table[~new.table["id"].isin(set(old.table["id"]))]
    try:
        return Manifest(pd.concat([old.table, added], ignore_index=True))
    except InputError as error:
        raise InputError(
            f"{old.corpus}: the {len(added)} new utterances do not go with the {len(old)} in the "
            f"cache {cache}: {error}\nRows from {len(old) + 1} are the new ones. Or "
            "--replace the manifest in the cache by this one"
        ) from error


def _same(old: Manifest, new: Manifest) -> bool:
    """Whether two manifests say the same; paths may be in different Unicode forms, and fingerprints
    may differ in the last digit."""
    from ..manifests import FINGERPRINT

    def said(manifest: Manifest) -> pd.DataFrame:
        paths = [unicodedata.normalize("NFC", path) for path in manifest.table["path"].tolist()]
        return manifest.table.drop(columns=FINGERPRINT, errors="ignore").assign(path=paths)

    return said(old).equals(said(new))


def _with_fingerprints(old: Manifest, new: Manifest) -> Manifest:
    """Give `old` the fingerprints that it lacks and `new` has of the same utterances."""
    from ..manifests import FINGERPRINT, Manifest

    if FINGERPRINT not in new.table:
        return old
    known = old.table[FINGERPRINT].tolist() if FINGERPRINT in old.table else [""] * len(old)
    if all(known):
        return old
    heard = dict(zip(utterances_of(new), new.table[FINGERPRINT].tolist(), strict=True))
    both = zip(utterances_of(old), known, strict=True)
    texts = [text or heard.get(utterance, "") for utterance, text in both]
    return old if texts == known else Manifest(old.table.assign(**{FINGERPRINT: texts}))
