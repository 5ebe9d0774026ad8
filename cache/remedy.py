"""What is said of what a cache lacks: what is there instead, and the command that fills it in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, MissingFeaturesError, SerError
from .contents import Contents, utterances_of
from .folders import default_cache_folders
from .keys import IMPORTED, FeatureKey, slug

if TYPE_CHECKING:
    from ..manifests import Manifest

MODEL = "/path/of/the/model"
"""Stands for a folder that the user knows."""
_BY_CONTENT = re.compile(r"(?:^|(?<=,))hf:(([a-z0-9-]+)-([0-9a-f]{12}))(?=[:,]|$)")


def no_manifest(contents: Contents, corpus: str) -> MissingFeaturesError:
    """The error for a corpus whose manifest is not there."""
    return MissingFeaturesError(
        f"no manifest of {corpus} in the cache {contents} (there: "
        f"{', '.join(contents.corpora()) or 'none'}). Run: {_extract(contents, corpus)}"
    )


def not_cached(
    contents: Contents, features: Sequence[str], manifest: Manifest
) -> MissingFeaturesError:
    """The error for features of which no utterance of a manifest is there."""
    corpus = manifest.corpus
    here = ", ".join(
        f"{key.short} ({_counted(contents, key, manifest)})"
        for key in contents.feature_keys()
        if corpus in contents.shards(key)
    )
    text = (
        f"{', '.join(features)} of {corpus}: not in the cache {contents} (there for "
        f"{corpus}: {here or 'nothing'}){_unusable(contents)}. "
    )
    specs = [feature.partition("@")[0] for feature in features]
    slugs = {slug(spec) for spec in specs}
    for problem in contents.left_out():
        folder = contents.relative(problem.path).parts[1]
        if folder.rpartition("-")[0] in slugs:  # extracting it again would change nothing
            return MissingFeaturesError(f"{text}{problem}")
    return MissingFeaturesError(f"{text}Run: {_fill_in(contents, corpus, specs)}")


def incomplete(
    contents: Contents, key: FeatureKey, manifest: Manifest, absent: Sequence[str]
) -> MissingFeaturesError:
    """The error for a feature that some utterances of a manifest do not have."""
    names = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
    return MissingFeaturesError(
        f"{key.short} of {manifest.corpus}: {len(absent)} of {len(manifest)} "
        f"utterances are not in the cache {contents} ({names}). "
        f"Run: {_fill_in(contents, manifest.corpus, [key.feature])}\n"
        "If their audio cannot give it, `ser train --skip-missing` does without them."
    )


def not_one(contents: Contents, what: str, keys: Sequence[FeatureKey]) -> InputError:
    """The error for something to be removed that is not there, or of which there are several."""
    problem = "is there in several versions" if keys else "is not there"
    here = ", ".join(key.short for key in keys or contents.feature_keys()) or "nothing"
    return InputError(f"{what} {problem}. The cache {contents} holds: {here}{_unusable(contents)}")


def only_shared(
    contents: Contents,
    what: str,
    folders: Sequence[Path],
    corpus: str | None = None,
    feature: str | None = None,
) -> InputError:
    """The error for something to be removed that lies in shared folders only."""
    words = ["ser", "cache", "rm", *([feature] if feature else [])]
    words += ["--corpus", corpus] if corpus else []
    where = " and ".join(map(str, folders))
    return InputError(
        f"{what} lies in {where}, which is shared, and not in {contents.folder}. Who may write "
        f"there removes it with: {shlex.join([*words, '--cache', str(folders[0])])}"
    )


def _counted(contents: Contents, key: FeatureKey, manifest: Manifest) -> str:
    try:
        indices = contents.indices(key, manifest.corpus)
    except SerError:
        return "damaged"
    held = {utterance for index in indices for utterance in index.utterances}
    return f"{len(held.intersection(utterances_of(manifest)))} of {len(manifest)} utterances"


def _unusable(contents: Contents) -> str:
    """What of the cache cannot be used, to be said where something is not found."""
    folders = ", ".join(str(contents.relative(problem.path)) for problem in contents.left_out())
    return f"; not to be used: {folders}, see `ser cache verify`" if folders else ""


def _fill_in(contents: Contents, corpus: str, features: Sequence[str]) -> str:
    """The commands that fill in features, which are computed here or were made elsewhere."""
    imported = [feature for feature in features if feature.startswith(f"{IMPORTED}:")]
    commands = [
        f"ser cache import SOURCE --corpus {shlex.quote(corpus)} --feature {shlex.quote(feature)}"
        f"{_cache_option(contents)}"
        for feature in imported
    ]
    if computed := [feature for feature in features if feature not in imported]:
        commands.append(_extract(contents, corpus, ",".join(computed)))
    return " and ".join(commands)


def _cache_option(contents: Contents) -> str:
    """What names a cache that is not the user's, with a blank before it."""
    if _is_default(contents):
        return ""
    return "".join(f" --cache {shlex.quote(str(folder))}" for folder in contents.folders)


def _extract(contents: Contents, corpus: str, features: str | None = None) -> str:
    """The command that computes what is missing; words in capitals are for the user."""
    from ..manifests import CORPORA, find_root

    words = ["ser", "extract", "--corpus", shlex.quote(corpus)]
    if corpus not in CORPORA:
        if corpus in contents.corpora():
            words += ["--manifest", shlex.quote(str(contents.manifest_file(corpus)))]
        else:
            words += ["--csv", "FILE", "--language", "LANGUAGE"]
    if find_root(corpus) is None:
        words += ["--root", "DIR"]
    where = ""
    if features is not None:
        # A model that came from a folder is called by its content, which says not where it is.
        folders = _BY_CONTENT.findall(features)
        given = _BY_CONTENT.sub(lambda match: match[0].replace(match[1], MODEL), features)
        words += ["--features", shlex.quote(given)]
        if folders:
            models = " and ".join(
                f"the {family} whose hash begins with {digits}" for _, family, digits in folders
            )
            where = f", where {MODEL} is the folder of {models}"
    return " ".join(words) + _cache_option(contents) + where


def _is_default(contents: Contents) -> bool:
    """Whether a command finds this cache where none is named."""
    try:
        return list(contents.folders) == default_cache_folders()
    except InputError:
        return False
