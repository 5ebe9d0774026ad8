"""A corpus that features are wanted of: its utterances, and where their audio is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..files import folder_or_url
from ..manifests import (
    ANY_MAY_BE_BAD,
    BadFileLimit,
    Build,
    Corpus,
    Manifest,
    audio_path,
    corpus_root,
    scan_corpus,
)
from ..progress import Progress
from .distant import Root


@dataclass(frozen=True)
class Found:
    """What was found of a corpus.

    Attributes:
        folder: that the paths of its manifest begin from, or its URL.
        given: whether its manifest was given, not made.
    """

    name: str
    folder: Root
    build: Build
    given: bool


def find_corpus(
    corpus: str | Corpus | Manifest,
    root: Path | str | None,
    progress: Progress,
    *,
    csv: Path | str | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    manifest: Manifest | Path | str | None = None,
    limit: BadFileLimit = ANY_MAY_BE_BAD,
) -> Found:
    """Find a corpus as `extract_corpus` takes it.

    Raises:
        InputError: an unknown corpus or option, no such folder, none of the files in it, or more
            bad ones than `limit` allows.
    """
    if isinstance(corpus, Manifest):
        corpus, manifest = corpus.corpus, corpus
    name = corpus if isinstance(corpus, str) else corpus.name
    root, csv = folder_or_url(root) if root else None, Path(csv) if csv else None
    if manifest is not None:
        if csv or language or options:
            raise InputError("--manifest takes the place of --csv, --language and --option")
        if isinstance(root, str):
            return Found(name, root, _given(name, manifest, Path(), progress), True)
        home = corpus.root if isinstance(corpus, Corpus) else None
        build = _given(name, manifest, corpus_root(name, root, home), progress)
    else:
        build = scan_corpus(
            *(corpus, root, progress), csv=csv, language=language, options=options, limit=limit
        )
    paths = build.manifest.table["path"]
    if not any(audio_path(build.root, path).is_file() for path in paths):
        raise InputError(f"{build.root}: has none of the files of {name}, such as {paths.iloc[0]}")
    return Found(name, build.root, build, manifest is not None)


def _given(corpus: str, manifest: Manifest | Path | str, root: Path, progress: Progress) -> Build:
    """A manifest in place of a new one; InputError where it is none, or of another corpus."""
    found = manifest if isinstance(manifest, Manifest) else Manifest.load(Path(manifest))
    for note in found.notes:
        progress.warn(note)
    if found.corpus != corpus:
        where = "the manifest" if manifest is found else manifest
        raise InputError(f"{where} is of {found.corpus}, not of {corpus}")
    return Build(found, [], list(found.notes), root)
