"""Cached features for those who do not use this tool."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ...errors import InputError, MissingFeaturesError
from ...new_folder import new_folder
from ..cache import Cache
from ..keys import FeatureKey, slug
from .parquet_files import pyarrow
from .survey import Progress
from .writing import COLUMNS, described, write_npy, write_npz, write_parquet

Form = Literal["parquet", "npz", "npy"]
FORMS: tuple[Form, ...] = get_args(Form)

DESCRIPTION = "features.json"
_WRITE = {"parquet": write_parquet, "npz": write_npz, "npy": write_npy}


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        folder: where.
        keys: of the features, by name.
        utterances: of the corpus.
        skipped: utterances that lack a feature, and were left out.
        bytes: of all files.
    """

    folder: Path
    keys: Mapping[str, FeatureKey]
    utterances: int
    skipped: tuple[str, ...]
    bytes: int


def export_features(
    cache: Cache,
    folder: Path | str,
    corpus: str,
    features: str | Sequence[str],
    *,
    form: Form = "parquet",
    skip_missing: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write cached features of a corpus into a new folder, in a form that others read.

    Beside them lie `manifest.csv`, of the utterances that were written, and `features.json`, with
    the key and the licence of each feature. The folder appears whole or not at all. Memory does not
    grow with the corpus.

    Args:
        folder: to be made.
        features: names, as training takes them.
        form: `parquet`, one file with a row for each utterance; `npz`, one file for each feature;
            `npy`, one for each feature and utterance.
        skip_missing: leave out the utterances that lack one of the features.
        overwrite: replace an earlier export.
        progress: called with what is done and what there is in all, of each utterance's features.

    Raises:
        InputError: the folder is there, or a feature cannot be meant.
        MissingFeaturesError: a feature is not in the cache, or not for all utterances.
        MissingPackageError: Parquet is asked for, and pyarrow is not installed.
        SerError: the folder cannot be written, or a shard is damaged.
    """
    folder = Path(folder)
    if form not in FORMS:
        raise InputError(f"form {form!r}: expected {', '.join(FORMS)}")
    if folder.absolute().is_relative_to(cache.folder.absolute()):
        raise InputError(f"{folder}: is in the cache, where only features are; choose another")
    if form == "parquet":
        pyarrow()  # before any work
    names = features.split(",") if isinstance(features, str) else list(features)
    manifest = cache.manifest(corpus)
    resolved = cache.resolve_all(names, manifest)
    keys = {key.feature: key for key in resolved.values()}
    if not keys or len(keys) < len(names):
        raise InputError(f"{', '.join(names) or 'no feature'}: name each feature once")
    if taken := sorted(keys.keys() & {*COLUMNS}):
        raise InputError(f"{taken[0]}: a column of the manifest has this name too")
    skipped: set[str] = set()
    if skip_missing:
        skipped = {id for key in keys.values() for id in cache.missing(key, manifest)}
        kept = [id for id in manifest.ids if id not in skipped]
        if not kept:
            raise MissingFeaturesError(f"{corpus}: no utterance has all of {', '.join(keys)}")
        manifest = manifest.select(kept)
    stored = {key: cache.open(key, manifest) for key in keys.values()}
    done, total = 0, len(manifest) * len(stored)

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    with new_folder(folder, overwrite) as made:
        named = {name: stored[key] for name, key in _file_names(list(stored)).items()}
        _WRITE[form](made, manifest, named, step)
        manifest.save(made / "manifest.csv")
        text = json.dumps(described(manifest, stored.values()), indent=2)
        (made / DESCRIPTION).write_bytes(f"{text}\n".encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return ExportReport(
        folder=folder,
        keys=keys,
        utterances=len(manifest),
        skipped=tuple(sorted(skipped)),
        bytes=sum(path.stat().st_size for path in files),
    )


def _file_names(keys: Sequence[FeatureKey]) -> dict[str, FeatureKey]:
    """Names for files of features, on every system: short ones where they differ."""
    slugs = [slug(key.feature) for key in keys]
    alone = len(set(slugs)) == len(slugs)
    return {name if alone else key.folder: key for name, key in zip(slugs, keys, strict=True)}
