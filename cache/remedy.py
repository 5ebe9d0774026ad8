"""The command that fills in what a cache lacks, as a user types it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from .folders import default_cache_folder

MODEL = "/path/of/the/model"
"""Stands for a folder that the user knows."""
_BY_CONTENT = re.compile(r"(?:^|(?<=,))hf:(([a-z0-9-]+)-([0-9a-f]{12}))(?=[:,]|$)")


def extract_command(
    cache: Path, corpus: str, manifest: Path | None, features: str | None = None
) -> str:
    """Compose the command; words in capitals are for the user.

    Args:
        cache: the folder.
        manifest: that of the corpus in the cache, if it is there.
        features: with commas between; None: the command's own.
    """
    from ..manifests import CORPORA, find_root

    words = ["ser", "extract", "--corpus", shlex.quote(corpus)]
    if corpus not in CORPORA:
        if manifest is not None:
            words += ["--manifest", shlex.quote(str(manifest))]
        else:
            words += ["--csv", "FILE", "--language", "LANGUAGE"]
    if find_root(corpus) is None:
        words += ["--root", "DIR"]
    where = ""
    if features is not None:
        # A model that came from a folder is called by its content, which says not where it is.
        folders = _BY_CONTENT.findall(features)
        given = _BY_CONTENT.sub(lambda found: found[0].replace(found[1], MODEL), features)
        words += ["--features", shlex.quote(given)]
        if folders:
            models = " and ".join(
                f"the {family} whose hash begins with {digits}" for _, family, digits in folders
            )
            where = f", where {MODEL} is the folder of {models}"
    if cache != default_cache_folder():
        words += ["--cache", shlex.quote(str(cache))]
    return " ".join(words) + where
