"""A manifest for those who do not use this library, in a form of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from ..errors import InputError
from ..new_folder import new_folder
from .corpora import CORPORA
from .formats.audformat_export import write_database
from .formats.kaldi_export import write_folder
from .languages import short_tag
from .manifest import Manifest
from .paths import restored_path
from .vocabulary import EMOTIONS

ManifestForm = Literal["audformat", "kaldi"]
MANIFEST_FORMS: tuple[ManifestForm, ...] = get_args(ManifestForm)

_Write = Callable[[Path, Manifest, Sequence[str], str], list[str]]
_WRITERS: dict[ManifestForm, _Write] = {"audformat": write_database, "kaldi": write_folder}


def export_manifest(
    manifest: Manifest,
    folder: Path | str,
    form: ManifestForm,
    *,
    root: Path | str | None = None,
    licence: str = "",
    overwrite: bool = False,
) -> list[str]:
    """Write a manifest into a new folder, which appears whole or not at all; no audio is copied.

    Args:
        folder: to be made.
        form: `audformat`, a database with the tables `emotion` and `files`; `kaldi`, a data folder
            with `wav.scp`, `utt2spk`, `utt2emo` and a file for each further column.
        root: of the audio, with which the paths are to begin; None: they stay relative to it.
        licence: of the corpus, where the form has a place; that of a corpus known by name is known.
        overwrite: replace an earlier export.

    Returns:
        What is to be told of it, such as what the form cannot hold.

    Raises:
        InputError: the folder is there, or the form cannot hold a path.
        MissingPackageError: audformat is not installed.
        SerError: the folder cannot be written.
    """
    if form not in _WRITERS:
        raise InputError(f"form {form!r}: expected {', '.join(MANIFEST_FORMS)}")
    record = CORPORA.get(manifest.corpus)
    paths = [_written(path, root) for path in manifest.table["path"]]
    with new_folder(Path(folder), overwrite) as made:
        known = record.licence if record else ""
        notes = _WRITERS[form](made, manifest, paths, licence or known)
    if (short := short_tag(manifest.language)) != manifest.language:
        notes.append(f"the language {manifest.language} is read again as {short}")
    if own := [label for label in manifest.labels if label not in EMOTIONS]:
        notes.append(f"emotions of one's own are read again with --option emotions={','.join(own)}")
    return notes


def _written(stored: str, root: Path | str | None) -> str:
    """The path of a manifest as others are to find it."""
    path = restored_path(stored)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"the file name {stored!r} holds bytes that are no text; rename the file, and build "
            "the manifest anew"
        ) from None
    return path if root is None else (Path(root).absolute() / path).as_posix()
